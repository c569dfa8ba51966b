// What anybody may do to the port: a raw gRPC client that breaks the format, and bytes that are not gRPC at all.
// Whatever comes, the offending stream is ended with a typed status and the server serves on.
#include <arpa/inet.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/impl/codegen/client_unary_call.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/grpc/frame.h"
#include "base/grpc/link.grpc.pb.h"
#include "base/grpc/outbox.h"
#include "tests/transport/harness.h"

namespace meridian::test {
namespace {

using link::Batch;

class RawClient : public testing::Test {
 protected:
  void SetUp() override { server_.serve(); }

  // Sends one batch, reads to the end, and answers the stream's status.
  grpc::Status send(const std::string& frames, std::vector<Batch>* answers = nullptr, int read = 1 << 30) {
    grpc::ChannelArguments args;
    args.SetMaxReceiveMessageSize(-1);
    auto stub =
        link::Link::NewStub(grpc::CreateCustomChannel(server_.address, grpc::InsecureChannelCredentials(), args));
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + 10s);
    auto stream = stub->Open(&context);
    Batch batch;
    batch.set_frames(frames);
    stream->Write(batch);
    Batch answer;
    for (int i = 0; i < read && stream->Read(&answer); ++i) {
      if (answers != nullptr) answers->push_back(answer);
    }
    if (read != 1 << 30) stream->WritesDone();
    return stream->Finish();
  }
  void expect_serving() {
    End client;
    EXPECT_EQ(client.call(server_.address, kEcho, "still there").value(), "still there");
  }

  End server_;
};

std::string frame(std::string_view body) {
  std::string out;
  put_string(out, body);
  return out;
}

TEST_F(RawClient, IsRefusedWithInvalidArgumentWhenAFrameDoesNotParse) {
  using namespace std::string_literals;
  const std::string request = frame("\0\1\1\0\0hello"s);
  for (const std::string& frames : {
           frame(""),                                 // no kind
           frame("\4\1"s),                            // unknown kind
           frame("\0\1"s),                            // cut off after the id
           frame("\0\1\1\0\5abc"s),                   // a trace longer than the frame
           frame("\0\1\xff\xff\xff\xff\xff\1\0\0"s),  // a method beyond 32 bits
           frame("\2\1an answer to a server"s),
           "\x7f only a few bytes"s,                           // longer than the batch
           "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\1"s,  // a length that never ends
           request + request + "\x01"s,                        // a good start does not help
       }) {
    const grpc::Status status = send(frames);
    EXPECT_EQ(status.error_code(), grpc::INVALID_ARGUMENT) << testing::PrintToString(frames);
    EXPECT_EQ(status.error_message(), "malformed frame");
  }
  expect_serving();
}

TEST_F(RawClient, IsAnsweredWhenItKeepsTheFormat) {
  using namespace std::string_literals;
  std::vector<Batch> answers;
  const grpc::Status status = send(frame("\0\7\1\0\0hello"s), &answers, 1);
  EXPECT_TRUE(status.ok()) << status.error_message();
  ASSERT_EQ(answers.size(), 1u);
  EXPECT_EQ(answers[0].frames(), frame("\2\7hello"s));
}

TEST_F(RawClient, IsRefusedWithResourceExhaustedWhenABatchIsTooLarge) {
  const grpc::Status status = send(std::string(20u << 20, 'x'));
  EXPECT_EQ(status.error_code(), grpc::RESOURCE_EXHAUSTED) << status.error_message();
  expect_serving();
}

// Its answers fill its window and then the server's outbox, so that nothing is read from it and one write never ends.
TEST_F(RawClient, ThatNeverReadsDoesNotHoldTheShutdownUp) {
  using namespace std::string_literals;
  auto stub = link::Link::NewStub(grpc::CreateChannel(server_.address, grpc::InsecureChannelCredentials()));
  grpc::ClientContext context;
  auto stream = stub->Open(&context);
  Batch batch;
  for (int i = 0; i < 32; ++i) batch.mutable_frames()->append(frame("\0\1\6\0\0"s + std::to_string(1 << 20)));
  ASSERT_TRUE(stream->Write(batch));
  ASSERT_TRUE(eventually(server_, [&] { return server_.answered_bytes >= 16u << 20; }));
  const MonoTime start = server_.runtime().now();
  server_.server().shutdown(100ms);
  EXPECT_LT(server_.runtime().now() - start, 5s);
  context.TryCancel();
  stream->Finish();
}

// A stream that sends what the test says and reads when it is told to.
class Hoarder {
 public:
  explicit Hoarder(const Address& to) {
    grpc::ChannelArguments args;
    args.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    args.SetMaxReceiveMessageSize(-1);
    stub_ = link::Link::NewStub(grpc::CreateCustomChannel(to, grpc::InsecureChannelCredentials(), args));
    stream_ = stub_->Open(&context_);
  }
  ~Hoarder() {
    if (!stream_) return;
    context_.TryCancel();
    stream_->Finish();
  }
  void send(const std::string& frames) {
    Batch batch;
    batch.set_frames(frames);
    EXPECT_TRUE(stream_->Write(batch));
  }
  struct Read {
    int answers = 0, errors = 0;
  };
  Read read(int frames) {
    Read read;
    Batch batch;
    while (read.answers + read.errors < frames && stream_->Read(&batch)) {
      link::FrameReader reader(batch.frames());
      while (const auto frame = reader.next()) {
        ++(frame->kind == link::FrameKind::kAnswer ? read.answers : read.errors);
      }
    }
    return read;
  }
  grpc::Status finish() {
    Batch batch;
    while (stream_->Read(&batch)) {
    }
    return std::exchange(stream_, nullptr)->Finish();
  }

 private:
  std::unique_ptr<link::Link::Stub> stub_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReaderWriter<Batch, Batch>> stream_;
};

std::string request_frame(int id, int method, const std::string& payload) {
  std::string body(1, '\0');
  put_varint(body, static_cast<std::uint64_t>(id));
  put_varint(body, static_cast<std::uint64_t>(method));
  put_varint(body, 0);
  put_string(body, "");
  return frame(body + payload);
}

// One message asks for a gigabyte; no more of it is worked on than the peer has room for.
TEST_F(RawClient, IsNotAnsweredFasterThanItReads) {
  constexpr int kCalls = 1'000;
  Hoarder hoarder(server_.address);
  std::string frames;
  for (int i = 0; i < kCalls; ++i) frames += request_frame(i, kBig, std::to_string(1 << 20));
  hoarder.send(frames);
  ASSERT_TRUE(eventually(server_, [&] { return server_.answered_bytes >= 16u << 20; }));
  expect_serving();
  std::size_t answered = 0;
  server_.on_loop([&] { answered = server_.answered_bytes; });
  EXPECT_LE(answered, 24u << 20);
  const Hoarder::Read read = hoarder.read(kCalls);
  EXPECT_EQ(read.answers, kCalls);
}

// They were all being worked on before the first was answered.
TEST(AnswersThatNobodyReads, AreRefusedBeyondTheBudget) {
  const auto budget = std::make_shared<AnswerBudget>(64u << 20);
  End server({.answers = budget});
  server.serve();
  constexpr int kCalls = 200;
  std::string frames;
  for (int i = 0; i < kCalls; ++i) frames += request_frame(i, kHold, "");
  std::vector<std::unique_ptr<Hoarder>> hoarders;
  for (int i = 0; i < 4; ++i) {
    hoarders.push_back(std::make_unique<Hoarder>(server.address));
    hoarders.back()->send(frames);
  }
  ASSERT_TRUE(eventually(server, [&] { return server.held.size() == 4 * kCalls; }));
  server.on_loop([&] {
    for (IncomingCall& call : server.held) call.respond(std::string(1 << 20, 'x'));
    server.held.clear();
  });
  EXPECT_LE(budget->held(), 65u << 20);
  EXPECT_GT(budget->held(), 32u << 20);
  End client;
  EXPECT_EQ(client.call(server.address, kEcho, "small").value(), "small");
  int answers = 0;
  for (const auto& hoarder : hoarders) {
    const Hoarder::Read read = hoarder->read(kCalls);
    EXPECT_EQ(read.answers + read.errors, kCalls);
    answers += read.answers;
  }
  EXPECT_GE(answers, 40);
  EXPECT_LE(answers, 66);
  EXPECT_TRUE(eventually(server, [&] { return budget->held() < 1u << 20; }));
  EXPECT_EQ(client.call(server.address, kBig, std::to_string(4 << 20))->size(), 4u << 20);
}

// Others have their turn while millions of frames are handled, and there is no list of them.
TEST_F(RawClient, MayFloodWithTinyFrames) {
  constexpr std::size_t kNotes = 1'000'000;
  std::string flood;
  for (std::size_t i = 0; i < kNotes; ++i) flood += std::string_view("\4\1\4\0\0", 5);
  Hoarder hoarder(server_.address);
  hoarder.send(flood);
  ASSERT_TRUE(eventually(server_, [&] { return !server_.notes.empty(); }, 60s));
  std::size_t seen = 0;
  server_.on_loop([&] { seen = server_.notes.size(); });
  EXPECT_LT(seen, kNotes);
  EXPECT_TRUE(eventually(server_, [&] { return server_.notes.size() == kNotes; }, 60s));
}

TEST(Streams, AreRefusedBeyondTheirNumber) {
  End server({.max_streams = 2});
  server.serve();
  End first, second, third;
  EXPECT_TRUE(first.call(server.address, kEcho, "1"));
  EXPECT_TRUE(second.call(server.address, kEcho, "2"));
  Hoarder hoarder(server.address);
  const grpc::Status refused = hoarder.finish();
  EXPECT_EQ(refused.error_code(), grpc::RESOURCE_EXHAUSTED);
  EXPECT_EQ(refused.error_message(), "2 streams are open; more are refused");
  EXPECT_EQ(code_of(third.call(server.address, kEcho, "3")), ErrorCode::kUnavailable);
  first.stop();
  const MonoTime deadline = server.runtime().now() + 10s;
  bool there_is_room = false;
  while (!there_is_room && server.runtime().now() < deadline) {
    there_is_room = third.call(server.address, kEcho, "3", 1s).has_value();
  }
  EXPECT_TRUE(there_is_room);
}

// Ten thousand idle streams that once moved a megabyte are not ten gigabytes.
TEST(Outbox, KeepsLittleOfALargeBatch) {
  EventLoop runtime({.name = "outbox"});
  const auto budget = std::make_shared<AnswerBudget>();
  link::Outbox outbox(runtime, 1 << 20, /*writing=*/false, budget);
  outbox.open();
  std::vector<link::OutFrame> frames;
  frames.push_back({.id = 1, .kind = link::FrameKind::kAnswer, .payload = std::string(4 << 20, 'x')});
  ASSERT_TRUE(outbox.push(frames));
  EXPECT_GE(budget->held(), 4u << 20);
  std::string batch;
  ASSERT_EQ(outbox.next(&batch), link::Outbox::Next::kWrite);
  EXPECT_EQ(outbox.waiting_bytes(), 0u);
  EXPECT_GE(budget->held(), 8u << 20) << "its bytes, and gRPC's copy";
  EXPECT_EQ(outbox.written(&batch), link::Outbox::Next::kNothing);
  EXPECT_EQ(budget->held(), 0u);
  EXPECT_LE(batch.capacity(), 16u << 10);
}

TEST_F(RawClient, FindsTheHealthService) {
  auto channel = grpc::CreateChannel(server_.address, grpc::InsecureChannelCredentials());
  const auto check = [&] {
    const grpc::internal::RpcMethod method("/grpc.health.v1.Health/Check", grpc::internal::RpcMethod::NORMAL_RPC);
    grpc::ClientContext context;
    grpc::ByteBuffer request(nullptr, 0), response;
    const grpc::Status status = grpc::internal::BlockingUnaryCall<grpc::ByteBuffer, grpc::ByteBuffer>(
        channel.get(), method, &context, request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    grpc::Slice slice;
    EXPECT_TRUE(response.DumpToSingleSlice(&slice).ok());
    return std::string(reinterpret_cast<const char*>(slice.begin()), slice.size());
  };
  EXPECT_EQ(check(), "\x08\x01");  // SERVING
  server_.server().set_serving(false);
  EXPECT_EQ(check(), "\x08\x02");
}

TEST_F(RawClient, MayTalkGarbageToThePort) {
  for (const std::string& garbage : {std::string("GET / HTTP/1.1\r\n\r\n"), std::string(100'000, '\xff'),
                                     "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + std::string(10'000, 'x'), std::string()}) {
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in to = {};
    to.sin_family = AF_INET;
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    to.sin_port = htons(static_cast<std::uint16_t>(std::stoi(server_.address.substr(server_.address.rfind(':') + 1))));
    ASSERT_EQ(connect(fd, reinterpret_cast<sockaddr*>(&to), sizeof to), 0);
    (void)::send(fd, garbage.data(), garbage.size(), MSG_NOSIGNAL);
    close(fd);
  }
  expect_serving();
}

TEST(Frames, SurviveARoundTrip) {
  std::string bytes;
  const MonoTime now(1'000'000);
  link::append_frame(bytes, {.id = 300, .deadline = now + 5ms, .method = 7, .trace = "t", .payload = "p"}, now);
  link::append_frame(bytes, {.id = 2, .method = 8, .kind = link::FrameKind::kOneWay, .payload = ""}, now);
  link::append_frame(bytes, {.id = 3, .kind = link::FrameKind::kAnswer, .payload = std::string(1000, 'a')}, now);
  const auto frames = link::parse_frames(bytes);
  ASSERT_TRUE(frames);
  ASSERT_EQ(frames->size(), 3u);
  EXPECT_EQ((*frames)[0].id, 300u);
  EXPECT_EQ((*frames)[0].remaining_us, 5000u);
  EXPECT_EQ((*frames)[0].method, 7u);
  EXPECT_EQ((*frames)[0].trace, "t");
  EXPECT_EQ((*frames)[0].payload, "p");
  EXPECT_EQ((*frames)[1].remaining_us, 0u);
  EXPECT_EQ((*frames)[2].payload.size(), 1000u);
  for (std::size_t cut = 1; cut < bytes.size(); ++cut) {
    const auto partial = link::parse_frames(std::string_view(bytes).substr(0, cut));
    EXPECT_TRUE(!partial || partial->size() < 3);
  }
}

TEST(Frames, TurnAnErrorOfANewerVersionIntoAnUnknownOutcome) {
  std::string bytes;
  put_varint(bytes, 5);
  put_varint(bytes, 1);
  put_varint(bytes, 4711);
  put_string(bytes, "something new");
  const Error error = link::decode_error(bytes);
  EXPECT_EQ(error.code(), ErrorCode::kUnknownOutcome);
  EXPECT_EQ(error.retry_after_ms(), 5u);
  EXPECT_NE(error.message().find("4711"), std::string::npos);
  EXPECT_EQ(link::decode_error("").code(), ErrorCode::kUnknownOutcome);
}

}  // namespace
}  // namespace meridian::test
