#include "shard/log/format.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/bytes.h"

namespace meridian::log_format {
namespace {

TEST(LogFormat, ChecksumIsTheStandardCrc32c) {
  EXPECT_EQ(crc32c("123456789"), 0xE3069283U);
  EXPECT_NE(crc32c("123456789", 1), 0xE3069283U);
}

TEST(LogFormat, SegmentHeaderRoundTrips) {
  const std::string bytes = encode(SegmentHeader{7, 12, 345, 9});
  const auto header = decode_segment_header(bytes);
  ASSERT_TRUE(header);
  EXPECT_EQ(header->salt, 7U);
  EXPECT_EQ(header->number, 12U);
  EXPECT_EQ(header->first_sequence, 345U);
  EXPECT_EQ(header->first_segment, 9U);
}

TEST(LogFormat, EveryFlippedBitOfASegmentHeaderIsCorruption) {
  const std::string bytes = encode(SegmentHeader{7, 12, 345, 9});
  for (std::size_t bit = 0; bit < 8 * bytes.size(); ++bit) {
    std::string flipped = bytes;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << bit % 8));
    const auto header = decode_segment_header(flipped);
    ASSERT_FALSE(header) << bit;
    EXPECT_EQ(header.error().code(), ErrorCode::kCorruption) << bit;
  }
}

TEST(LogFormat, ANewerVersionIsRefusedNamingBoth) {
  std::string bytes = encode(SegmentHeader{7, 12, 345, 9}).substr(0, 8);
  put_big_endian(bytes, std::uint32_t{kVersion + 6});
  put_big_endian(bytes, crc32c(bytes));
  const auto header = decode_segment_header(bytes + "whatever a newer program writes");
  ASSERT_FALSE(header);
  EXPECT_EQ(header.error().code(), ErrorCode::kFailedPrecondition);
  EXPECT_THAT(header.error().message(),
              testing::AllOf(testing::HasSubstr("version 7"), testing::HasSubstr("version 1")));
}

TEST(LogFormat, BatchesOfAnotherLogAreNotBatches) {
  std::string batch(kBatchHeaderBytes, '\0');
  batch += "records";
  seal_batch(batch, 5, 4, /*salt=*/99);
  ASSERT_TRUE(decode_batch_header(batch, 99));
  EXPECT_EQ(decode_batch_header(batch, 99)->sequence, 5U);
  EXPECT_EQ(decode_batch_header(batch, 99)->synced, 4U);
  EXPECT_FALSE(decode_batch_header(batch, 98));
  EXPECT_FALSE(decode_batch_header(std::string(64, '\0'), 99));
}

TEST(LogFormat, RecordsRoundTrip) {
  LogUpdate update{.shard = ShardId(1), .replica = ReplicaId(2)};
  update.reset = LogBase{LogIndex(10), Term(3)};
  update.truncate_from = LogIndex(11);
  update.entries = {
      {LogIndex(11), Term(4), raft::EntryType::kNoop, nullptr},
      {LogIndex(12), Term(4), raft::EntryType::kCommand, std::make_shared<const std::string>("abc\0d", 5)}};
  update.hard_state = raft::HardState{Term(4), ReplicaId(2), LogIndex(11)};
  std::string bytes;
  append_record(bytes, update);
  append_record(bytes, Record(TruncatePrefix{ShardId(1), ReplicaId(2), {LogIndex(11), Term(4)}}));
  append_record(bytes, Record(Tombstone{ShardId(3), ReplicaId(9)}));
  append_record(bytes, Record(State{ShardId(1), ReplicaId(2), {LogIndex(11), Term(4)}, std::nullopt}));
  append_record(bytes, Record(Entries{ShardId(1), ReplicaId(2), update.entries}));
  append_record(bytes, Record(FirstSegment{44}));

  const auto records = decode_records(bytes);
  ASSERT_TRUE(records);
  ASSERT_EQ(records->size(), 6U);
  const auto& read = std::get<LogUpdate>(records->front());
  EXPECT_EQ(read.reset, update.reset);
  EXPECT_EQ(read.truncate_from, update.truncate_from);
  EXPECT_EQ(read.hard_state, update.hard_state);
  ASSERT_EQ(read.entries.size(), 2U);
  EXPECT_EQ(read.entries[0].data, nullptr);
  EXPECT_EQ(*read.entries[1].data, *update.entries[1].data);
  EXPECT_EQ(read.entries[1].index, LogIndex(12));
  EXPECT_EQ(std::get<Tombstone>((*records)[2]).min_allowed, ReplicaId(9));
  EXPECT_FALSE(std::get<State>((*records)[3]).hard_state);
  EXPECT_EQ(std::get<FirstSegment>(records->back()).number, 44U);
  // Cut anywhere inside a record it is refused, or a shorter list; never a crash.
  for (std::size_t n = 0; n < bytes.size(); ++n) {
    if (const auto part = decode_records(std::string_view(bytes).substr(0, n))) EXPECT_LT(part->size(), 6U);
  }
  EXPECT_FALSE(decode_records(std::string("\x7f\x01\x01", 3)));
}

TEST(LogFormat, SegmentNames) {
  EXPECT_EQ(segment_name(12), "segment-0000000012.log");
  EXPECT_EQ(parse_segment_name("segment-0000000012.log"), 12U);
  for (const char* other : {"segment-12.log", "segment-.log", "segment-000000001x.log", "lost+found", "LOCK"}) {
    EXPECT_FALSE(parse_segment_name(other)) << other;
  }
}

}  // namespace
}  // namespace meridian::log_format
