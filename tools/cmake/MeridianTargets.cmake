# The toolchain's settings, the third-party packages, and the functions by which every folder declares
# its one library: meridian_library, meridian_proto_library, meridian_test.

set(CMAKE_CXX_STANDARD 23)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)

set(MERIDIAN_SANITIZE "" CACHE STRING "address,undefined | thread | empty")
option(MERIDIAN_DELIBERATE_BUGS "compile in the deliberate bugs by which checkers are proven (simulator, tests)" OFF)

find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)
set(Protobuf_USE_STATIC_LIBS OFF)
find_package(Protobuf REQUIRED)
find_package(gRPC CONFIG REQUIRED)
find_package(RocksDB CONFIG REQUIRED)
find_package(Boost 1.81 CONFIG REQUIRED)
find_package(Boost 1.81 CONFIG REQUIRED COMPONENTS json)
find_package(spdlog REQUIRED)
find_package(fmt REQUIRED)
find_package(prometheus-cpp CONFIG REQUIRED)
find_package(CLI11 CONFIG REQUIRED)
find_package(tomlplusplus CONFIG REQUIRED)
find_package(GTest REQUIRED)
find_package(rapidcheck QUIET)
pkg_check_modules(HTTPLIB REQUIRED IMPORTED_TARGET cpp-httplib)
pkg_check_modules(ISAL REQUIRED IMPORTED_TARGET libisal)
pkg_check_modules(XXHASH REQUIRED IMPORTED_TARGET libxxhash)
find_program(GRPC_CPP_PLUGIN grpc_cpp_plugin REQUIRED)

add_library(meridian_flags INTERFACE)
target_compile_options(meridian_flags INTERFACE -Wall -Wextra -Werror -Wno-missing-field-initializers -fno-omit-frame-pointer)
target_compile_definitions(meridian_flags INTERFACE BOOST_ASIO_NO_DEPRECATED BOOST_ASIO_DISABLE_BOOST_COROUTINE)
target_include_directories(meridian_flags INTERFACE ${CMAKE_SOURCE_DIR})
if(MERIDIAN_SANITIZE)
  target_compile_options(meridian_flags INTERFACE -fsanitize=${MERIDIAN_SANITIZE} -fno-sanitize-recover=all)
  if(MERIDIAN_SANITIZE MATCHES "undefined")
    # Checks at every access to a member: a third of the compile time, and the address sanitizer stops at a null
    # pointer as well.
    target_compile_options(meridian_flags INTERFACE -fno-sanitize=null,alignment,vptr,object-size)
  endif()
  add_link_options(-fsanitize=${MERIDIAN_SANITIZE})
endif()
# The allocator of our long-running programs (docs/adr/0012). Only executables link it, as their first library, so that
# its operator new is found before libstdc++'s; whoever uses the SDK chooses their own, and the sanitizers bring theirs.
add_library(meridian_allocator INTERFACE)
if(NOT MERIDIAN_SANITIZE)
  pkg_check_modules(TCMALLOC REQUIRED IMPORTED_TARGET libtcmalloc_minimal)
  target_link_libraries(meridian_allocator INTERFACE ${TCMALLOC_LINK_LIBRARIES})
endif()
if(MERIDIAN_DELIBERATE_BUGS)
  target_compile_definitions(meridian_flags INTERFACE MERIDIAN_DELIBERATE_BUGS)
endif()

# meridian_library(name SOURCES a.cc ... DEPS targets)
function(meridian_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  target_link_libraries(${name} PUBLIC meridian_flags ${ARG_DEPS})
endfunction()

# meridian_proto_library(name [GRPC] ROOT dir PROTOS a/b.proto ...): the messages; includes are relative to ROOT.
# With GRPC also ${name}_grpc, the services over them: only that one links gRPC.
# Generated code is compiled without our warnings and without sanitizers.
function(meridian_proto_library name)
  cmake_parse_arguments(ARG "GRPC" "ROOT" "PROTOS;DEPS" ${ARGN})
  set(out ${CMAKE_CURRENT_BINARY_DIR}/${name}_gen)
  file(MAKE_DIRECTORY ${out})
  set(messages)
  set(services)
  foreach(proto ${ARG_PROTOS})
    string(REGEX REPLACE "\\.proto$" "" stem ${proto})
    set(files ${out}/${stem}.pb.cc ${out}/${stem}.pb.h)
    add_custom_command(OUTPUT ${files}
      COMMAND protobuf::protoc --cpp_out=${out} -I ${ARG_ROOT} ${ARG_ROOT}/${proto}
      DEPENDS ${ARG_ROOT}/${proto} VERBATIM)
    list(APPEND messages ${files})
    if(ARG_GRPC)
      set(files ${out}/${stem}.grpc.pb.cc ${out}/${stem}.grpc.pb.h)
      add_custom_command(OUTPUT ${files}
        COMMAND protobuf::protoc --grpc_out=${out} --plugin=protoc-gen-grpc=${GRPC_CPP_PLUGIN} -I ${ARG_ROOT} ${ARG_ROOT}/${proto}
        DEPENDS ${ARG_ROOT}/${proto} VERBATIM)
      list(APPEND services ${files})
    endif()
  endforeach()
  add_library(${name} STATIC ${messages})
  target_include_directories(${name} SYSTEM PUBLIC ${out})
  target_compile_options(${name} PRIVATE -w)
  target_link_libraries(${name} PUBLIC protobuf::libprotobuf ${ARG_DEPS})
  if(ARG_GRPC)
    add_library(${name}_grpc STATIC ${services})
    target_compile_options(${name}_grpc PRIVATE -w)
    target_link_libraries(${name}_grpc PUBLIC ${name} gRPC::grpc++)
  endif()
endfunction()

# Builds the tests that are run under the thread sanitizer.
add_custom_target(thread_tests)

# Every gtest program there is. Where nobody runs them (release) they are not part of "all".
option(MERIDIAN_TESTS_IN_ALL "build the gtest programs with everything else" ON)
add_custom_target(gtest_programs)

# meridian_test(name LABEL unit SOURCES a_test.cc ... DEPS targets [TIMEOUT s] [THREADS]): one gtest program.
# THREADS: it uses several threads, and is also run under the thread sanitizer.
function(meridian_test name)
  cmake_parse_arguments(ARG "THREADS" "LABEL;TIMEOUT" "SOURCES;DEPS" ${ARGN})
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 300)
  endif()
  if(ARG_THREADS)
    list(APPEND ARG_LABEL threads)
    add_dependencies(thread_tests ${name})
  endif()
  add_executable(${name} ${ARG_SOURCES})
  add_dependencies(gtest_programs ${name})
  if(NOT MERIDIAN_TESTS_IN_ALL)
    set_target_properties(${name} PROPERTIES EXCLUDE_FROM_ALL ON)
  endif()
  target_link_libraries(${name} PRIVATE meridian_flags ${ARG_DEPS} GTest::gtest GTest::gmock GTest::gtest_main)
  add_test(NAME ${name} COMMAND ${name} WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
  set_tests_properties(${name} PROPERTIES LABELS "${ARG_LABEL}" TIMEOUT ${ARG_TIMEOUT})
  if(MERIDIAN_SANITIZE STREQUAL "thread")
    set_tests_properties(${name} PROPERTIES ENVIRONMENT
      "TSAN_OPTIONS=suppressions=${CMAKE_SOURCE_DIR}/tests/tsan.supp ignore_noninstrumented_modules=1")
  endif()
endfunction()
