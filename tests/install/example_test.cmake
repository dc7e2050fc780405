# Run by ctest: the README's C++ program on a small picture.
cmake_minimum_required(VERSION 3.25)
file(REMOVE_RECURSE ${WORK_DIR})
file(MAKE_DIRECTORY ${WORK_DIR})
include(${CMAKE_CURRENT_LIST_DIR}/test_picture.cmake)
execute_process(COMMAND ${EXAMPLE} in.pgm out.png 3 WORKING_DIRECTORY ${WORK_DIR}
                RESULT_VARIABLE status OUTPUT_VARIABLE output ERROR_VARIABLE output)
message(STATUS "fit_picture: ${output}")
if(NOT status EQUAL 0 OR NOT EXISTS ${WORK_DIR}/out.png OR NOT output MATCHES "^([0-9.]+) dB")
  message(FATAL_ERROR "expected a PSNR and out.png, got status ${status}")
endif()
# A constant grey reaches 11 dB on this picture; a network that learns is far above.
if(CMAKE_MATCH_1 LESS 25)
  message(FATAL_ERROR "expected at least 25 dB after 3 seconds, got ${CMAKE_MATCH_1}")
endif()
# A user's mistake is one line and status 1.
execute_process(COMMAND ${EXAMPLE} absent.png out.png 1 WORKING_DIRECTORY ${WORK_DIR}
                RESULT_VARIABLE status ERROR_VARIABLE output)
if(NOT status EQUAL 1 OR NOT output MATCHES "absent.png")
  message(FATAL_ERROR "absent picture: expected status 1 and its name, got ${status}: ${output}")
endif()
