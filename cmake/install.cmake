# `cmake --install`: program, library, headers, presets, and a CMake package: find_package(loe), link loe::loe.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

install(TARGETS loe_program loe_bench loe_paper RUNTIME)
install(TARGETS loe EXPORT loeTargets)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/loe DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(FILES ${PROJECT_SOURCE_DIR}/LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/loe)
install(EXPORT loeTargets NAMESPACE loe:: DESTINATION ${package_dir})
configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/loeConfig.cmake.in ${PROJECT_BINARY_DIR}/loeConfig.cmake
  INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/loeConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/loeConfig.cmake ${PROJECT_BINARY_DIR}/loeConfigVersion.cmake
  ${PROJECT_SOURCE_DIR}/cmake/Finddnnl.cmake DESTINATION ${package_dir})
