#include "base/reader.h"

#include <gtest/gtest.h>

namespace hearth {
namespace {

std::shared_ptr<const ByteSource> source_of(std::vector<uint8_t> bytes) {
  std::vector<std::byte> out;
  for (uint8_t b : bytes) out.push_back(static_cast<std::byte>(b));
  return memory_source(std::move(out), "m.bin");
}

// A source that is not in memory, as an HTTP range would be.
class Remote : public ByteSource {
 public:
  explicit Remote(std::shared_ptr<const ByteSource> inner) : inner_(std::move(inner)) {}
  const std::string& name() const override { return inner_->name(); }
  uint64_t size() const override { return inner_->size(); }
  Result<void> read_at(uint64_t offset, std::span<std::byte> out) const override {
    return inner_->read_at(offset, out);
  }

 private:
  std::shared_ptr<const ByteSource> inner_;
};

TEST(Reader, ReadsLittleEndianNumbers) {
  auto source = source_of({0x01, 0x02, 0x03, 0x04, 0x00, 0x00, 0x80, 0x3F, 0xFE, 'a', 'b'});
  for (std::shared_ptr<const ByteSource> s : {source, std::shared_ptr<const ByteSource>(
                                                          std::make_shared<Remote>(source))}) {
    Reader in(*s);
    EXPECT_EQ(in.read<uint32_t>("n").value(), 0x04030201u);
    EXPECT_EQ(in.read<float>("f").value(), 1.0f);
    EXPECT_EQ(in.read<int8_t>("i").value(), -2);
    EXPECT_EQ(in.text(2, "t").value(), "ab");
    EXPECT_EQ(in.remaining(), 0u);
    EXPECT_TRUE(in.bytes(0, "nothing").has_value());
    EXPECT_FALSE(in.read<uint8_t>("end").has_value());
  }
}

TEST(Reader, ErrorsNameFileFieldAndOffset) {
  auto source = source_of({1, 2, 3, 4, 5, 6});
  Reader in(*source);
  ASSERT_TRUE(in.skip(4, "head").has_value());
  auto wrong = in.read<uint32_t>("tensor count");
  ASSERT_FALSE(wrong.has_value());
  EXPECT_EQ(wrong.error().code, Code::kCorrupt);
  EXPECT_EQ(wrong.error().message, "m.bin: tensor count at offset 4: needs 4 bytes, 2 are left");
  EXPECT_EQ(in.position(), 4u) << "a failed read does not move the cursor";
  EXPECT_FALSE(in.skip(UINT64_MAX, "all").has_value());
  EXPECT_FALSE(in.bytes(UINT64_MAX, "all").has_value());
  EXPECT_FALSE(in.text(3, "all").has_value());
}

TEST(Reader, NeedItemsSurvivesOverflow) {
  auto source = source_of({1, 2, 3, 4, 5, 6, 7, 8});
  Reader in(*source);
  EXPECT_TRUE(in.need_items(2, 4, "n").has_value());
  EXPECT_TRUE(in.need_items(0, UINT64_MAX, "n").has_value());
  EXPECT_FALSE(in.need_items(3, 4, "n").has_value());
  EXPECT_FALSE(in.need_items(1ull << 61, 8, "n").has_value()) << "2^64 wraps to 0";
  EXPECT_FALSE(in.need_items(UINT64_MAX, UINT64_MAX, "n").has_value());
}

TEST(Reader, WindowIsClampedToTheSource) {
  auto source = source_of({1, 2, 3, 4});
  Reader in(*source, 1, 3);
  EXPECT_EQ(in.remaining(), 2u);
  EXPECT_EQ(in.read<uint8_t>("n").value(), 2);
  EXPECT_FALSE(in.read<uint16_t>("n").has_value());
  EXPECT_EQ(Reader(*source, 9, 12).remaining(), 0u);
  EXPECT_EQ(Reader(*source, 3, 1).remaining(), 0u);
  EXPECT_EQ(Reader(*source, 2, 99).remaining(), 2u);
}

TEST(Reader, MappedTextsStopBeforeWhatDoesNotFit) {
  std::vector<uint8_t> bytes = {2, 0, 0, 0, 0, 0, 0, 0, 'a', 'b', 0, 0, 0, 0, 0, 0, 0, 0,
                                1, 0, 0, 0, 0, 0, 0, 0, 'c'};
  for (size_t size = 0; size <= bytes.size(); ++size) {
    auto source = source_of({bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(size)});
    Reader in(*source);
    std::vector<std::string_view> out;
    in.mapped_texts(3, out);
    size_t whole = size >= 27 ? 3 : size >= 18 ? 2 : size >= 10 ? 1 : 0;
    ASSERT_EQ(out.size(), whole) << size;
    constexpr uint64_t kEnds[] = {0, 10, 18, 27};
    ASSERT_EQ(in.position(), kEnds[whole]);
    ASSERT_EQ(whole == 3, (out == std::vector<std::string_view>{"ab", "", "c"}));
  }
  bytes[7] = 0xFF;  // a length of almost 2^64
  auto source = source_of(bytes);
  Reader in(*source);
  std::vector<std::string_view> out;
  in.mapped_texts(3, out);
  EXPECT_TRUE(out.empty());
  Reader one(*source, 10);
  one.mapped_texts(1, out);
  EXPECT_EQ(out.size(), 1u) << "no more than asked for";
  Remote far(source);
  Reader remote(far, 10);
  remote.mapped_texts(5, out);
  EXPECT_EQ(out.size(), 1u);
}

TEST(Reader, EmptySource) {
  auto source = source_of({});
  Reader in(*source);
  EXPECT_FALSE(in.read<uint8_t>("n").has_value());
  EXPECT_TRUE(in.bytes(0, "n").has_value());
}

TEST(MemorySource, ReadsInsideOnly) {
  auto source = source_of({1, 2, 3});
  std::byte two[2];
  EXPECT_TRUE(source->read_at(1, two).has_value());
  EXPECT_EQ(two[1], std::byte{3});
  EXPECT_FALSE(source->read_at(2, two).has_value());
  EXPECT_FALSE(source->read_at(UINT64_MAX, two).has_value()) << "offset + count wraps";
  EXPECT_TRUE(source->read_at(3, {}).has_value());
}

}  // namespace
}  // namespace hearth
