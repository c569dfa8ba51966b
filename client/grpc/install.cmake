# The component "sdk": headers, libmeridian_client.so, the protos, and what find_package(Meridian) and
# pkg-config need. cmake --install build/release --component sdk --prefix /usr/local
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)
set(config_dir ${CMAKE_INSTALL_LIBDIR}/cmake/Meridian)

install(TARGETS meridian_client_shared EXPORT MeridianTargets
  LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT sdk NAMELINK_COMPONENT sdk)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/client/include/meridian DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
  COMPONENT sdk FILES_MATCHING PATTERN "*.h")
install(DIRECTORY ${PROJECT_SOURCE_DIR}/client/proto/meridian DESTINATION ${CMAKE_INSTALL_DATADIR}/meridian/proto
  COMPONENT sdk FILES_MATCHING PATTERN "*.proto")
install(EXPORT MeridianTargets NAMESPACE Meridian:: DESTINATION ${config_dir} COMPONENT sdk)

configure_package_config_file(${PROJECT_SOURCE_DIR}/tools/cmake/MeridianConfig.cmake.in
  ${CMAKE_CURRENT_BINARY_DIR}/MeridianConfig.cmake INSTALL_DESTINATION ${config_dir}
  PATH_VARS CMAKE_INSTALL_DATADIR)
# 0.x: every minor version may change the API.
write_basic_package_version_file(${CMAKE_CURRENT_BINARY_DIR}/MeridianConfigVersion.cmake
  VERSION ${PROJECT_VERSION} COMPATIBILITY SameMinorVersion)
configure_file(${PROJECT_SOURCE_DIR}/tools/cmake/meridian-client.pc.in
  ${CMAKE_CURRENT_BINARY_DIR}/meridian-client.pc @ONLY)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/MeridianConfig.cmake ${CMAKE_CURRENT_BINARY_DIR}/MeridianConfigVersion.cmake
  DESTINATION ${config_dir} COMPONENT sdk)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/meridian-client.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig
  COMPONENT sdk)
