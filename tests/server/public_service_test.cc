#include "server/public_service.h"

#include <future>

#include <gmock/gmock.h>
#include <grpcpp/create_channel.h>
#include <gtest/gtest.h>

#include "base/event_loop.h"
#include "base/grpc/grpc_server.h"
#include "base/grpc/grpc_transport.h"
#include "client/proto/methods.h"
#include "meridian/v1/kv.grpc.pb.h"

namespace meridian::server {
namespace {

using ::testing::HasSubstr;

class PublicServiceTest : public ::testing::Test {
 protected:
  void SetUp() override {
    runtime_.start_thread();
    std::promise<void> ready;
    runtime_.post([&] {
      transport_ = std::make_unique<GrpcTransport>(runtime_);
      ready.set_value();
    });
    ready.get_future().wait();
    auto server = GrpcServer::start(
        {.listen = "127.0.0.1:0",
         .link = transport_->service(),
         .services = make_public_services(
             runtime_, [this](MethodId method, IncomingCall call) { dispatch(method, std::move(call)); },
             {.max_in_flight = 2, .answers = answers_})});
    ASSERT_TRUE(server) << server.error().to_string();
    server_ = std::move(*server);
    channel_ = grpc::CreateChannel(server_->address(), grpc::InsecureChannelCredentials());
    stub_ = v1::KeyValue::NewStub(channel_);
  }
  void TearDown() override {
    if (server_) server_->shutdown(Duration(0));
    runtime_.stop();
    runtime_.join();
    transport_.reset();
  }

  // On the loop. What the proxy would be.
  void dispatch(MethodId method, IncomingCall call) {
    const Result<v1::GetRequest> request = v1::decode(call.payload, static_cast<v1::GetRequest*>(nullptr));
    if (method != v1::kGet.id) return call.respond(fail(ErrorCode::kUnimplemented, "not here"));
    if (!request) return call.respond(fail(request.error()));
    deadline_us_ = call.deadline.us();
    if (request->key() == "never") return;  // dropped unanswered
    if (request->key() == "hang") return held_.push_back(std::move(call.respond));
    if (request->key() == "busy") {
      return call.respond(fail(
          Error(ErrorCode::kBusy, "full \xff").with_cause(Error(ErrorCode::kIo, "slow disk")).with_retry_after(42)));
    }
    if (request->key() == "long") {
      Error error(ErrorCode::kInvalidArgument, std::string(4'096, '\xff'));
      for (int i = 0; i < 5; ++i) {
        error = Error(ErrorCode::kInvalidArgument, std::string(4'096, '\xff')).with_cause(std::move(error));
      }
      return call.respond(fail(std::move(error)));
    }
    v1::GetResponse response;
    response.set_found(true);
    response.set_value(request->key() == "large" ? std::string(1 << 20, 'x') : request->key() + "!");
    call.respond(v1::encode(response));
  }

  void wait_until_held(std::size_t n) {
    for (std::size_t held = 0; held < n;) {
      std::promise<void> counted;
      runtime_.post([&] {
        held = held_.size();
        counted.set_value();
      });
      counted.get_future().wait();
    }
  }

  grpc::Status get(const std::string& key, v1::GetResponse* response, v1::ErrorDetail* detail = nullptr,
                   std::chrono::seconds timeout = std::chrono::seconds(10)) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + timeout);
    v1::GetRequest request;
    request.set_key(key);
    const grpc::Status status = stub_->Get(&context, request, response);
    const auto it = context.GetServerTrailingMetadata().find("meridian-error-bin");
    if (detail != nullptr && it != context.GetServerTrailingMetadata().end()) {
      EXPECT_TRUE(detail->ParseFromArray(it->second.data(), static_cast<int>(it->second.size())));
    }
    return status;
  }

  const std::shared_ptr<AnswerBudget> answers_ = std::make_shared<AnswerBudget>(2u << 20);
  EventLoop runtime_;
  std::unique_ptr<GrpcTransport> transport_;
  std::unique_ptr<GrpcServer> server_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::KeyValue::Stub> stub_;
  std::atomic<std::int64_t> deadline_us_;
  std::vector<Responder> held_;
};

TEST_F(PublicServiceTest, GivesTheBytesToTheProxy) {
  v1::GetResponse response;
  const grpc::Status status = get("key", &response);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(response.value(), "key!");
  // gRPC carries three digits of what is left, rounded up: of a little less than ten seconds a tenth more.
  EXPECT_LE(MonoTime(deadline_us_), runtime_.now() + std::chrono::milliseconds(10'100));
  EXPECT_GE(MonoTime(deadline_us_), runtime_.now() + std::chrono::seconds(1));
}

TEST_F(PublicServiceTest, MapsErrorsToStatusAndDetail) {
  v1::GetResponse response;
  v1::ErrorDetail detail;
  const grpc::Status status = get("busy", &response, &detail);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(status.error_message(), "busy: full \\xff: slow disk");
  EXPECT_EQ(detail.code(), static_cast<std::uint32_t>(ErrorCode::kBusy));
  EXPECT_EQ(detail.message(), "full \\xff");
  ASSERT_EQ(detail.causes_size(), 1);
  EXPECT_EQ(detail.causes(0), "slow disk");
  EXPECT_EQ(detail.retry_after_ms(), 42u);
  EXPECT_TRUE(detail.definite());
}

// A client that has not been told otherwise takes 8 KiB of metadata, and sees no status at all beyond.
TEST_F(PublicServiceTest, CutsErrorsToWhatAClientTakes) {
  v1::GetResponse response;
  v1::ErrorDetail detail;
  const grpc::Status status = get("long", &response, &detail);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT) << status.error_message();
  EXPECT_TRUE(status.error_message().starts_with("invalid argument: \\xff"));
  EXPECT_TRUE(status.error_message().ends_with("..."));
  EXPECT_TRUE(detail.message().ends_with("..."));
  EXPECT_GE(detail.causes_size(), 1);
  EXPECT_LT(status.error_message().size() + detail.ByteSizeLong() * 4 / 3, 7'000u);
}

TEST_F(PublicServiceTest, AnswersUnknownWhereTheCallIsDropped) {
  v1::GetResponse response;
  v1::ErrorDetail detail;
  EXPECT_EQ(get("never", &response, &detail).error_code(), grpc::StatusCode::UNKNOWN);
  EXPECT_FALSE(detail.definite());
}

TEST_F(PublicServiceTest, MapsMethodsToTheirIds) {
  grpc::ClientContext context;
  v1::WriteResponse response;
  EXPECT_EQ(stub_->Put(&context, {}, &response).error_code(), grpc::StatusCode::UNIMPLEMENTED);
}

TEST_F(PublicServiceTest, RefusesMoreThanTheLimitAsBusy) {
  v1::GetResponse response;
  const std::chrono::seconds brief(1);
  EXPECT_EQ(get("hang", &response, nullptr, brief).error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
  EXPECT_EQ(get("hang", &response, nullptr, brief).error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
  EXPECT_EQ(get("key", &response).error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  std::promise<void> released;
  runtime_.post([&] {
    held_.clear();
    released.set_value();
  });
  released.get_future().wait();
  EXPECT_TRUE(get("key", &response).ok());
}

TEST_F(PublicServiceTest, SharesTheBudgetOfAnswersThatNobodyHasTaken) {
  v1::GetResponse response;
  EXPECT_TRUE(get("large", &response).ok());
  answers_->take(3u << 19);  // somebody else's
  EXPECT_EQ(get("large", &response).error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_TRUE(get("small", &response).ok());
  answers_->give_back(3u << 19);
  EXPECT_TRUE(get("large", &response).ok());
}

TEST_F(PublicServiceTest, ShutsDownWithACallThatNobodyAnswers) {
  v1::GetResponse response;
  auto status = std::async(std::launch::async, [&] { return get("hang", &response); });
  wait_until_held(1);
  auto closed = std::async(std::launch::async, [&] { server_->shutdown(std::chrono::milliseconds(1)); });
  runtime_.stop();
  runtime_.join();
  held_.clear();
  closed.get();
  EXPECT_FALSE(status.get().ok());
}

}  // namespace
}  // namespace meridian::server
