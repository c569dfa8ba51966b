// The namespace of the SDK: meridian::sdk, of which every name can be used as meridian::name.
//
// Inside Meridian's own source tree names such as meridian::Error belong to the server, so there
// (MERIDIAN_SDK_NESTED, set by the build) only meridian::sdk::name works. The symbols are the same.
#pragma once

#ifdef MERIDIAN_SDK_NESTED
#define MERIDIAN_SDK_BEGIN \
  namespace meridian {     \
  namespace sdk {
#else
#define MERIDIAN_SDK_BEGIN \
  namespace meridian {     \
  inline namespace sdk {
#endif
#define MERIDIAN_SDK_END \
  }                      \
  }
