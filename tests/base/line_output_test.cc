#include "base/line_output.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

namespace meridian {
namespace {

class Pair {
 public:
  enum class Kind { kPipe, kSockets };
  explicit Pair(Kind kind) {
    EXPECT_EQ(kind == Kind::kPipe ? pipe(fds_) : socketpair(AF_UNIX, SOCK_STREAM, 0, fds_), 0);
  }
  ~Pair() {
    close(fds_[0]);
    close(fds_[1]);
  }
  int out() const { return fds_[1]; }
  // All there is now.
  std::string read() {
    std::string all(1 << 22, 0);
    fcntl(fds_[0], F_SETFL, O_NONBLOCK);
    std::size_t size = 0;
    for (ssize_t n; (n = ::read(fds_[0], all.data() + size, all.size() - size)) > 0;) size += static_cast<std::size_t>(n);
    all.resize(size);
    return all;
  }

 private:
  int fds_[2];
};

class LineOutputTest : public testing::TestWithParam<Pair::Kind> {};

TEST_P(LineOutputTest, NeverWaitsForAReaderAndWritesWholeLines) {
  Pair pair(GetParam());
  LineOutput out(pair.out());
  std::string expected;
  int dropped = 0;
  for (int i = 0; i < 100'000 && dropped < 10; ++i) {
    const std::string line = std::to_string(i) + std::string(static_cast<std::size_t>(i * 37 % 9'000), 'x') + "\n";
    if (out.write(line)) {
      expected += line;
    } else {
      ++dropped;
    }
  }
  EXPECT_EQ(dropped, 10);
  std::string seen = pair.read();
  ASSERT_TRUE(out.write("after\n"));
  expected += "after\n";
  seen += pair.read();
  EXPECT_TRUE(seen == expected) << seen.size() << " of " << expected.size();
  EXPECT_EQ(fcntl(pair.out(), F_GETFL) & O_NONBLOCK, 0) << "others write there too";
}

INSTANTIATE_TEST_SUITE_P(All, LineOutputTest, testing::Values(Pair::Kind::kPipe, Pair::Kind::kSockets),
                         [](const auto& info) { return info.param == Pair::Kind::kPipe ? "Pipe" : "Sockets"; });

TEST(LineOutput, SurvivesAReaderThatIsGone) {
  int fds[2];
  ASSERT_EQ(pipe(fds), 0);
  ::signal(SIGPIPE, SIG_IGN);
  LineOutput out(fds[1]);
  close(fds[0]);
  EXPECT_FALSE(out.write("nobody\n"));
  close(fds[1]);
}

TEST(LineOutput, FollowsTheDescriptorToAnotherFile) {
  Pair first(Pair::Kind::kPipe), second(Pair::Kind::kPipe);
  LineOutput out(first.out());
  EXPECT_TRUE(out.write("1\n"));
  ASSERT_GE(dup2(second.out(), first.out()), 0);
  EXPECT_TRUE(out.write("2\n"));
  EXPECT_EQ(first.read(), "1\n");
  EXPECT_EQ(second.read(), "2\n");
}

}  // namespace
}  // namespace meridian
