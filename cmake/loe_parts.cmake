# loe_part(<folder of src> [LIBRARIES <targets>] [HEADER_ONLY <targets>] [INCLUDES <dirs>] [EXCLUDE <files>]): one object
# library per folder. LIBRARIES are linked into programs; HEADER_ONLY and INCLUDES are needed to compile the folder only, so that a
# consumer of the installed library needs neither.
# loe_library(): the static library loe made of all parts.

set_property(GLOBAL PROPERTY LOE_PARTS "")

add_library(loe_options INTERFACE)
# A program loads only what it uses: without this every test would start OpenImageIO's 60 shared libraries.
target_link_options(loe_options INTERFACE -Wl,--as-needed)
target_compile_options(loe_options INTERFACE -Wall -Wextra -Wshadow -Wpointer-arith -Wno-psabi)
# Routing is inline double arithmetic: contracting a * p + b on machines with FMA would let two translation units pick
# different experts for one sample.
target_compile_options(loe_options INTERFACE -ffp-contract=off)
if(LOE_WERROR)
  target_compile_options(loe_options INTERFACE -Werror)
endif()
if(LOE_BUILD_FUZZERS)  # the parts with coverage for libFuzzer: fuzz/CMakeLists.txt; its main() only in the fuzz targets
  target_link_options(loe_options INTERFACE -fsanitize=fuzzer-no-link)
endif()
if(LOE_SANITIZE)
  target_compile_options(loe_options INTERFACE -fsanitize=${LOE_SANITIZE} -fno-sanitize-recover=all
                         -fno-omit-frame-pointer)
  target_link_options(loe_options INTERFACE -fsanitize=${LOE_SANITIZE})
endif()

# Of code that reads and writes text, which never waits for itself but takes long to compile (JSON, command lines): gcc
# needs a fifth less time at -O1, and then invents accesses beyond arrays, as in tests.
set(LOE_TEXT_OPTIONS "$<$<CONFIG:Release>:-O1>"
  "$<$<AND:$<CONFIG:Release>,$<CXX_COMPILER_ID:GNU>>:-Wno-array-bounds;-Wno-stringop-overflow;-Wno-stringop-overread;-Wno-maybe-uninitialized>")

function(loe_part folder)
  cmake_parse_arguments(PARSE_ARGV 1 PART "" "" "LIBRARIES;HEADER_ONLY;INCLUDES;EXCLUDE")
  if(PART_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "loe_part(${folder}): unknown arguments ${PART_UNPARSED_ARGUMENTS}")
  endif()
  string(REPLACE "/" "_" name loe_${folder})
  file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/${folder}/*.cpp)
  # Sub-folders that are parts of their own (backend/cpu) are listed separately; others belong to this one.
  if(NOT folder STREQUAL backend)
    file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/${folder}/*.cpp)
  endif()
  foreach(file ${PART_EXCLUDE})
    list(REMOVE_ITEM sources ${PROJECT_SOURCE_DIR}/src/${folder}/${file})
  endforeach()
  if(NOT sources)
    return()
  endif()
  add_library(${name} OBJECT ${sources})
  target_include_directories(${name} PUBLIC
    $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include> PRIVATE ${PROJECT_SOURCE_DIR}/src)
  target_include_directories(${name} SYSTEM PRIVATE ${PART_INCLUDES})
  target_link_libraries(${name} PRIVATE loe_options ${PART_LIBRARIES} ${PART_HEADER_ONLY})
  set_property(GLOBAL APPEND PROPERTY LOE_PARTS ${name})
  set_property(GLOBAL APPEND PROPERTY LOE_PART_LIBRARIES ${PART_LIBRARIES})
endfunction()

function(loe_library)
  get_property(parts GLOBAL PROPERTY LOE_PARTS)
  get_property(libraries GLOBAL PROPERTY LOE_PART_LIBRARIES)
  list(REMOVE_DUPLICATES libraries)
  list(TRANSFORM parts REPLACE "(.+)" "$<TARGET_OBJECTS:\\1>")
  add_library(loe STATIC ${parts})
  add_library(loe::loe ALIAS loe)
  target_include_directories(loe PUBLIC
    $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include> $<INSTALL_INTERFACE:include>)
  target_compile_features(loe PUBLIC cxx_std_20)
  foreach(library ${libraries})
    target_link_libraries(loe PRIVATE ${library})
  endforeach()
  target_link_libraries(loe PRIVATE $<BUILD_INTERFACE:loe_options>)
endfunction()
