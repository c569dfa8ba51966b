// One request on its way to a node, through all its attempts. Router moves it; the typed half knows how to encode the
// request and how to answer the caller. Owned by whatever will carry it on: the callback of an attempt, or a wait.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "proxy/traffic.h"
#include "shard/api/methods.h"

namespace meridian::proxy {

enum class Target : std::uint8_t { kLeader, kNearest };

enum class Repeat : std::uint8_t {
  kFreely,  // changes nothing, or twice is once
  kSameId,  // carries a request id: takes effect at most once, however often it is sent
  kOnce,    // carries none: never sent again once it may have been received
};

struct RoutedCall {
  enum class Taken : std::uint8_t { kAnswered, kNotLeader, kUnreadable };

  virtual ~RoutedCall() = default;
  virtual std::string encode() const = 0;
  // A node's answer. kAnswered: so is the caller.
  virtual Taken take(std::string_view bytes) = 0;
  virtual void fail(Error error) = 0;

  // Set when it is made.
  std::string_view name;  // for people
  MethodId method = 0;
  Target target = Target::kLeader;
  Repeat repeat = Repeat::kFreely;
  MonoTime deadline;
  Duration attempt_timeout{0};
  std::string trace;
  // 0: none. A mutation's id is that old: nodes may have forgotten it once the window has passed.
  std::uint64_t id_time_us = 0;

  // Set by take().
  api::NotLeader elsewhere;
  std::uint64_t cluster_time_us = 0;

  // The story so far.
  int attempts = 0;
  int rounds = 0;    // waits
  int silences = 0;  // attempts that ended without an answer
  int broken = 0;    // answers that something is wrong at the node
  int hops = 0;      // redirects followed in a row
  bool maybe_received = false;
  std::vector<std::uint64_t> tried;  // nodes, of kNearest
  std::optional<Error> last_error;
};

// answer: Result<std::string>(Response&&), the public response, encoded.
template <class Request, class Response, class Answer>
class TypedCall final : public RoutedCall {
 public:
  TypedCall(const Method<Request, Response>& typed, Request request, Answer answer, Reply reply)
      : request_(std::move(request)), answer_(std::move(answer)), reply_(std::move(reply)) {
    name = typed.name;
    method = typed.id;
  }
  std::string encode() const override { return request_.SerializeAsString(); }
  Taken take(std::string_view bytes) override {
    Response response;
    if (!response.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return Taken::kUnreadable;
    if (response.has_not_leader()) {
      elsewhere = std::move(*response.mutable_not_leader());
      return Taken::kNotLeader;
    }
    if constexpr (requires { response.info(); }) {
      // It is the leader's clock that judges request ids; another node's may be off.
      if (response.info().role() == api::LEADER) cluster_time_us = response.info().cluster_time_us();
    } else if constexpr (requires { response.cluster_time_us(); }) {
      cluster_time_us = response.cluster_time_us();
    }
    reply_(answer_(std::move(response)));
    return Taken::kAnswered;
  }
  void fail(Error error) override { reply_(meridian::fail(std::move(error))); }

 private:
  Request request_;
  Answer answer_;
  Reply reply_;
};

template <class Request, class Response, class Answer>
std::unique_ptr<RoutedCall> make_call(const Method<Request, Response>& method, Request request, Answer answer,
                                      Reply reply) {
  return std::make_unique<TypedCall<Request, Response, Answer>>(method, std::move(request), std::move(answer),
                                                                std::move(reply));
}

}  // namespace meridian::proxy
