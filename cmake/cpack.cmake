# Read by cpack before it packs: the time that stands in the package is the commit's, not today's.
if(NOT DEFINED ENV{SOURCE_DATE_EPOCH})
  execute_process(
    COMMAND git log -1 --format=%ct
    WORKING_DIRECTORY ${CMAKE_CURRENT_LIST_DIR}
    OUTPUT_VARIABLE commit_time OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  if(NOT commit_time)
    # Not a clone: that of the newest entry in the changelog.
    execute_process(
      COMMAND dpkg-parsechangelog -l ${CMAKE_CURRENT_LIST_DIR}/../packaging/debian/changelog -S Timestamp
      OUTPUT_VARIABLE commit_time OUTPUT_STRIP_TRAILING_WHITESPACE)
  endif()
  set(ENV{SOURCE_DATE_EPOCH} ${commit_time})
endif()
