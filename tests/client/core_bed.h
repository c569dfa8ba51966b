// A ClientCore over FakeProxies in virtual time, for the tests of this folder.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "client/core/client_core.h"
#include "tests/client/fake_proxies.h"
#include "tests/sim/sim_runtime.h"
#include "tests/sim/sim_world.h"

namespace meridian::client {

template <class Response>
using Slot = std::shared_ptr<std::optional<Result<Response>>>;

class ClientCoreTest : public ::testing::Test {
 protected:
  void make_core(std::vector<Address> proxies, Options options = {}) {
    core.emplace(ClientCore::Deps{runtime, transport, std::move(proxies), options});
  }
  Call within(Duration timeout) {
    Call call;
    call.deadline = runtime.now() + timeout;
    return call;
  }

  template <class Request, class Response>
  Slot<Response> begin(const Method<Request, Response>& method, Request request, Call options = {}) {
    auto slot = std::make_shared<std::optional<Result<Response>>>();
    last_call = core->call(method, std::move(request), std::move(options), Done<Response>([slot](Result<Response> r) {
                             ASSERT_FALSE(slot->has_value()) << "answered twice";
                             slot->emplace(std::move(r));
                           }));
    EXPECT_FALSE(slot->has_value()) << "called back from inside";
    return slot;
  }
  Slot<v1::WriteResponse> begin_put(Call options = {}, std::string key = "k") {
    v1::PutRequest request;
    request.set_key(std::move(key));
    request.set_value("v");
    return begin(v1::kPut, std::move(request), std::move(options));
  }
  Slot<v1::GetResponse> begin_get(Call options = {}) {
    v1::GetRequest request;
    request.set_key("k");
    return begin(v1::kGet, std::move(request), std::move(options));
  }
  template <class Response>
  Result<Response> finish(const Slot<Response>& slot, std::int64_t limit_us = 60'000'000) {
    EXPECT_TRUE(world.run_until([&] { return slot->has_value(); }, world.now() + limit_us)) << "no answer";
    if (!slot->has_value()) return fail(ErrorCode::kInternal, "no answer");
    return **slot;
  }
  Result<v1::WriteResponse> put(Call options = {}) { return finish(begin_put(std::move(options))); }
  Result<v1::GetResponse> get(Call options = {}) { return finish(begin_get(std::move(options))); }

  template <class Response>
  void expect_error(const Result<Response>& result, ErrorCode code) {
    ASSERT_FALSE(result.has_value());
    EXPECT_EQ(result.error().code(), code) << result.error().to_string();
  }
  v1::RequestId id_of(std::size_t attempt) { return transport.attempts.at(attempt).decoded<v1::PutRequest>().id(); }
  static std::string text(const v1::RequestId& id) { return id.SerializeAsString(); }

  sim::SimWorld world{7};
  sim::SimClocks clocks{world, 1, {.wall_bound_us = 0, .rate_bound = 0, .jump_chance = 0}};
  sim::SimDisk disk;
  sim::SimRuntime runtime{world, "client", clocks, disk};
  FakeProxies transport{runtime};
  std::optional<ClientCore> core;
  CallId last_call = 0;
};

}  // namespace meridian::client
