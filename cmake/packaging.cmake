# What `cmake --install` puts where, and the Debian package that `cpack` makes of it: scripts/package.
# Identical from two builds of one commit, see docs/adr/0014-packages.md.

include(GNUInstallDirs)

# Modes of what is installed do not come from the umask of who installs.
set(CMAKE_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS
  OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)

set(packaging ${CMAKE_CURRENT_SOURCE_DIR}/packaging)
set(packed_dir ${CMAKE_CURRENT_BINARY_DIR}/packed)
set(packed_files "")
find_program(GZIP gzip REQUIRED)

# Installs a file packed by gzip, without its name and time.
function(install_packed file folder name)
  set(packed ${packed_dir}/${folder}/${name}.gz)
  get_filename_component(packed_folder ${packed} DIRECTORY)
  add_custom_command(
    OUTPUT ${packed}
    COMMAND ${CMAKE_COMMAND} -E make_directory ${packed_folder}
    COMMAND ${GZIP} -9 --no-name --stdout ${file} > ${packed}
    DEPENDS ${file}
    VERBATIM)
  install(FILES ${packed} DESTINATION ${folder})
  set(packed_files ${packed_files} ${packed} PARENT_SCOPE)
endfunction()

install(TARGETS aloha RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})

# ---- systemd: the units name the program where it will lie ----

foreach(unit aloha.service aloha.socket)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${packaging}/systemd/${unit})
  file(READ ${packaging}/systemd/${unit} text)
  string(REPLACE "/usr/bin/aloha" "${CMAKE_INSTALL_FULL_BINDIR}/aloha" text "${text}")
  string(REPLACE "/usr/share/doc" "${CMAKE_INSTALL_FULL_DATAROOTDIR}/doc" text "${text}")
  file(WRITE ${packed_dir}/systemd/${unit} "${text}")
  install(FILES ${packed_dir}/systemd/${unit} DESTINATION lib/systemd/system)
endforeach()

# ---- the configuration, always where the program looks for it; one that is there stays ----

install(CODE "
  if(NOT EXISTS \"\$ENV{DESTDIR}/etc/aloha/aloha.conf\")
    file(INSTALL \"${packaging}/aloha.conf\" DESTINATION /etc/aloha)
  endif()")

# ---- man pages, completions, documentation ----

foreach(name aloha.1 aloha.conf.5)
  string(REGEX REPLACE ".*\\." "" section ${name})
  install_packed(${packaging}/man/${name} ${CMAKE_INSTALL_MANDIR}/man${section} ${name})
endforeach()

# Debian's zsh looks for those of packages in a folder of their own.
set(zsh_dir ${CMAKE_INSTALL_DATAROOTDIR}/zsh/site-functions)
if(ALOHA_PACKAGE)
  set(zsh_dir ${CMAKE_INSTALL_DATAROOTDIR}/zsh/vendor-completions)
endif()
install(FILES ${packaging}/completions/aloha.bash
  DESTINATION ${CMAKE_INSTALL_DATAROOTDIR}/bash-completion/completions RENAME aloha)
install(FILES ${packaging}/completions/_aloha DESTINATION ${zsh_dir})
install(FILES ${packaging}/completions/aloha.fish
  DESTINATION ${CMAKE_INSTALL_DATAROOTDIR}/fish/vendor_completions.d)

set(doc_dir ${CMAKE_INSTALL_DATAROOTDIR}/doc/aloha)
foreach(page operations configuration protocol security)
  install_packed(${CMAKE_CURRENT_SOURCE_DIR}/docs/${page}.md ${doc_dir} ${page}.md)
endforeach()
install(FILES ${packaging}/debian/copyright DESTINATION ${doc_dir})
install(FILES ${packaging}/grafana/aloha.json ${packaging}/prometheus/alerts.yml
  DESTINATION ${doc_dir}/examples)

# ---- the Debian package ----

if(ALOHA_PACKAGE)
  install_packed(${packaging}/debian/changelog ${doc_dir} changelog.Debian)
  install(FILES ${packaging}/debian/lintian-overrides
    DESTINATION ${CMAKE_INSTALL_DATAROOTDIR}/lintian/overrides RENAME aloha)

  # What it is linked with, and in which versions (SECURITY R74).
  add_custom_command(
    OUTPUT ${packed_dir}/aloha.cdx.json
    COMMAND ${packaging}/sbom $<TARGET_FILE:aloha> ${PROJECT_VERSION} > ${packed_dir}/aloha.cdx.json
    DEPENDS aloha ${packaging}/sbom
    VERBATIM)
  list(APPEND packed_files ${packed_dir}/aloha.cdx.json)
  install(FILES ${packed_dir}/aloha.cdx.json DESTINATION ${doc_dir})

  file(STRINGS ${packaging}/debian/changelog top LIMIT_COUNT 1)
  string(REGEX REPLACE "^aloha \\(([^-)]+)-([^)]+)\\).*" "\\1" packaged_version "${top}")
  if(NOT packaged_version STREQUAL PROJECT_VERSION)
    message(FATAL_ERROR "packaging/debian/changelog is about ${packaged_version}, the project is ${PROJECT_VERSION}")
  endif()

  set(CPACK_GENERATOR DEB)
  set(CPACK_SET_DESTDIR ON)
  set(CPACK_STRIP_FILES ON)
  set(CPACK_PROJECT_CONFIG_FILE ${CMAKE_CURRENT_SOURCE_DIR}/cmake/cpack.cmake)
  set(CPACK_POST_BUILD_SCRIPTS ${CMAKE_CURRENT_SOURCE_DIR}/cmake/repack.cmake)
  set(CPACK_PACKAGE_NAME aloha)
  set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "video calls from your own machine")
  set(CPACK_PACKAGE_CONTACT "The aloha authors <aloha@packages.invalid>")
  set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
  set(CPACK_DEBIAN_PACKAGE_RELEASE 1)
  set(CPACK_DEBIAN_PACKAGE_SECTION net)
  set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
  set(CPACK_DEBIAN_COMPRESSION_TYPE xz)
  # The first comes of the program's own libraries; the plugin is loaded at run time, so no tool sees it.
  set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
  set(CPACK_DEBIAN_PACKAGE_DEPENDS libwebsockets-evlib-uv)
  set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
  set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA
    ${packaging}/debian/conffiles ${packaging}/debian/postinst
    ${packaging}/debian/prerm ${packaging}/debian/postrm)
  string(CONCAT CPACK_DEBIAN_PACKAGE_DESCRIPTION
    "One program serves a page, introduces the browsers of a room to one another and\n"
    "steps aside: picture and sound go from browser to browser, encrypted. Open the\n"
    "address, share the link of the room, and whoever opens it is in the call.\n"
    "No account and no installation for those who join.")
  include(CPack)
endif()

add_custom_target(packed ALL DEPENDS ${packed_files})
