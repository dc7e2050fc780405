# Run by ctest: the program of docs/library.md on a small picture.
cmake_minimum_required(VERSION 3.25)
file(REMOVE_RECURSE ${WORK_DIR})
file(MAKE_DIRECTORY ${WORK_DIR})
include(${CMAKE_CURRENT_LIST_DIR}/test_picture.cmake)
execute_process(COMMAND ${EXAMPLE} in.pgm run WORKING_DIRECTORY ${WORK_DIR}
                RESULT_VARIABLE status OUTPUT_VARIABLE output ERROR_VARIABLE errors)
message(STATUS "watch_fit: ${output}${errors}")
if(NOT status EQUAL 0 OR NOT output MATCHES "cancelled after step [0-9]+\n([0-9.]+) dB\n")
  message(FATAL_ERROR "expected a stop and a PSNR, got status ${status}")
endif()
if(CMAKE_MATCH_1 LESS 25 OR NOT EXISTS ${WORK_DIR}/run/result.json)
  message(FATAL_ERROR "expected at least 25 dB and run/result.json, got ${CMAKE_MATCH_1}")
endif()
execute_process(COMMAND ${EXAMPLE} absent.png other WORKING_DIRECTORY ${WORK_DIR}
                RESULT_VARIABLE status ERROR_VARIABLE output)
if(NOT status EQUAL 1 OR NOT output MATCHES "absent.png" OR EXISTS ${WORK_DIR}/other)
  message(FATAL_ERROR "absent picture: expected status 1, its name and no folder, got ${status}: ${output}")
endif()
