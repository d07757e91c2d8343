# Read by cpack after it has packed.
execute_process(COMMAND ${CMAKE_CURRENT_LIST_DIR}/../packaging/debian/repack ${CPACK_PACKAGE_FILES}
  COMMAND_ERROR_IS_FATAL ANY)
