# ccache, if it is there: LOE_CCACHE=OFF does without, and so does a launcher that is set already.
#
# The cache (ccache's own place, ~/.cache/ccache) serves every checkout and every build folder: paths below the sources
# count as relative, and the folder that a compiler starts in does not count (debug information may name another one).
option(LOE_CCACHE "Compile through ccache if it is found" ON)
find_program(LOE_CCACHE_PROGRAM ccache)
if(LOE_CCACHE AND LOE_CCACHE_PROGRAM AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_BASEDIR=${PROJECT_SOURCE_DIR} CCACHE_NOHASHDIR=1
    ${LOE_CCACHE_PROGRAM})
endif()
