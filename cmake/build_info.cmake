# Writes loe_build_info.h (version, git commit, compiler) for src/base/version.cpp.
#
# The commit is looked up at every build, not at configure time, so that it is never stale; the file is only touched if
# its text changes, so that a build without a new commit compiles nothing. Outside git the commit is "unknown".

if(CMAKE_SCRIPT_MODE_FILE)
  set(commit unknown)
  find_program(git git)
  if(git)
    execute_process(COMMAND ${git} -C ${SOURCE_DIR} rev-parse --show-prefix OUTPUT_VARIABLE prefix
                    RESULT_VARIABLE failed ERROR_QUIET OUTPUT_STRIP_TRAILING_WHITESPACE)
    # A copy of the sources inside another project's checkout must not report that project's commit.
    if(NOT failed AND prefix STREQUAL "")
      execute_process(COMMAND ${git} -C ${SOURCE_DIR} rev-parse --short=12 HEAD OUTPUT_VARIABLE head
                      RESULT_VARIABLE failed ERROR_QUIET OUTPUT_STRIP_TRAILING_WHITESPACE)
      execute_process(COMMAND ${git} -C ${SOURCE_DIR} --no-optional-locks status --porcelain --untracked-files=no
                      OUTPUT_VARIABLE changes ERROR_QUIET)
      if(NOT failed)
        set(commit ${head})
        if(NOT changes STREQUAL "")
          string(APPEND commit -dirty)
        endif()
      endif()
    endif()
  endif()
  set(text "#define LOE_BUILD_VERSION \"${VERSION}\"\n")
  string(APPEND text "#define LOE_BUILD_COMMIT \"${commit}\"\n")
  string(APPEND text "#define LOE_BUILD_COMPILER \"${COMPILER}\"\n")
  file(CONFIGURE OUTPUT ${OUTPUT} CONTENT "${text}" @ONLY)  # leaves an unchanged file alone
  return()
endif()

# loe_build_info(<target>): lets the sources of <target> include loe_build_info.h.
function(loe_build_info target)
  set(header ${PROJECT_BINARY_DIR}/generated/loe_build_info.h)
  add_custom_target(loe_build_info
    COMMAND ${CMAKE_COMMAND} -DSOURCE_DIR=${PROJECT_SOURCE_DIR} -DOUTPUT=${header} -DVERSION=${PROJECT_VERSION}
            "-DCOMPILER=${CMAKE_CXX_COMPILER_ID} ${CMAKE_CXX_COMPILER_VERSION}, ${CMAKE_BUILD_TYPE}"
            -P ${PROJECT_SOURCE_DIR}/cmake/build_info.cmake
    BYPRODUCTS ${header}
    COMMENT "Looking up the git commit"
    VERBATIM)
  add_dependencies(${target} loe_build_info)
  target_include_directories(${target} PRIVATE ${PROJECT_BINARY_DIR}/generated)
endfunction()
