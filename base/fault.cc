#include "base/fault.h"

namespace meridian {

FaultHooks* g_fault_hooks = nullptr;

}  // namespace meridian
