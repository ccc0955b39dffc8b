#include "container/metadata.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <cstring>

#include "container/quote.h"

namespace hearth {
namespace {

TEST(Metadata, AddRefusesDoublesSetReplaces) {
  Metadata meta;
  ASSERT_TRUE(meta.add("a", {MetaType::kU8, uint64_t{1}}).has_value());
  auto again = meta.add("a", {MetaType::kU8, uint64_t{2}});
  ASSERT_FALSE(again.has_value());
  EXPECT_EQ(again.error().code, Code::kCorrupt);
  EXPECT_EQ(meta.uint("a").value(), 1u);
  meta.set_u32("a", 3);
  meta.set_u32("b", 4);
  EXPECT_EQ(meta.uint("a").value(), 3u);
  ASSERT_EQ(meta.pairs().size(), 2u);
  EXPECT_EQ(meta.pairs()[0].first, "a");
}

TEST(Metadata, TypedAccess) {
  Metadata meta;
  meta.set("i", {MetaType::kI32, int64_t{-5}});
  meta.set("j", {MetaType::kI16, int64_t{5}});
  meta.set_f32("f", 0.5f);
  meta.set_bool("b", true);
  meta.set_string("s", "text");
  EXPECT_EQ(meta.uint("i").error().code, Code::kCorrupt) << "negative";
  EXPECT_EQ(meta.uint("j").value(), 5u);
  EXPECT_EQ(meta.number("i").value(), -5.0);
  EXPECT_EQ(meta.number("f").value(), 0.5);
  EXPECT_EQ(meta.uint("f").error().code, Code::kCorrupt);
  EXPECT_EQ(meta.number("b").error().code, Code::kCorrupt) << "a bool is no number";
  EXPECT_TRUE(meta.boolean("b", false).value());
  EXPECT_EQ(meta.boolean("j", false).error().code, Code::kCorrupt);
  EXPECT_EQ(meta.text("s").value(), "text");
  EXPECT_EQ(meta.text("b").error().message, "metadata key 'b' is bool, not a string");
}

TEST(Metadata, AbsentAndFallback) {
  Metadata meta;
  meta.set_string("s", "x");
  EXPECT_EQ(meta.uint("a").error().code, Code::kNotFound);
  EXPECT_EQ(meta.number("a").error().code, Code::kNotFound);
  EXPECT_EQ(meta.text("a").error().code, Code::kNotFound);
  EXPECT_EQ(meta.array("a").error().code, Code::kNotFound);
  EXPECT_EQ(meta.uint("a", 7).value(), 7u);
  EXPECT_EQ(meta.number("a", 1.5).value(), 1.5);
  EXPECT_EQ(meta.text("a", "d").value(), "d");
  EXPECT_FALSE(meta.boolean("a", false).value());
  EXPECT_FALSE(meta.uint("s", 7).has_value()) << "a wrong type fails in spite of a fallback";
  EXPECT_FALSE(meta.number("s", 7).has_value());
  EXPECT_FALSE(meta.text("s", "").value().empty());
  EXPECT_FALSE(meta.array("s").has_value());
}

TEST(Metadata, ArraysLiveAsLongAsAnyCopy) {
  Metadata copy;
  {
    Metadata meta;
    meta.set_strings("s", {"one", "two", std::string(100, 'x')});
    meta.set_floats("f", std::array{1.5f, -2.5f});
    meta.set_ints("i", std::array<int32_t, 3>{1, -2, 3});
    copy = meta;
  }
  const MetaArray* strings = copy.array("s", MetaType::kString).value();
  ASSERT_EQ(strings->count, 3u);
  EXPECT_EQ(strings->strings[1], "two");
  EXPECT_EQ(strings->strings[2].size(), 100u);
  EXPECT_EQ(copy.array("f").value()->number_at(1), -2.5);
  EXPECT_EQ(copy.array("i").value()->integer_at(1), -2);
  EXPECT_EQ(copy.array("i", MetaType::kF32).error().message,
            "metadata key 'i' is an array of i32, not of f32");
}

template <class T, size_t N>
MetaArray array_of(MetaType item, const std::array<T, N>& values) {
  return {.item = item, .count = N, .raw = std::as_bytes(std::span(values))};
}

TEST(MetaArray, EveryNumberType) {
  std::array<uint8_t, 2> u8{0, 255};
  std::array<int8_t, 2> i8{-128, 127};
  std::array<uint16_t, 2> u16{0, 65535};
  std::array<int64_t, 2> i64{INT64_MIN, INT64_MAX};
  std::array<uint64_t, 2> u64{0, UINT64_MAX};
  EXPECT_EQ(array_of(MetaType::kU8, u8).integer_at(1), 255);
  EXPECT_EQ(array_of(MetaType::kI8, i8).integer_at(0), -128);
  EXPECT_EQ(array_of(MetaType::kU16, u16).number_at(1), 65535.0);
  EXPECT_EQ(array_of(MetaType::kI64, i64).integer_at(0), INT64_MIN);
  EXPECT_EQ(array_of(MetaType::kU64, u64).integer_at(1), INT64_MAX) << "the nearest";
  EXPECT_EQ(array_of(MetaType::kU64, u64).number_at(1), 0x1p64);
  EXPECT_EQ(array_of(MetaType::kBool, u8).integer_at(1), 1);
  EXPECT_EQ(array_of(MetaType::kBool, u8).number_at(0), 0.0);
  std::array<double, 4> f64{1e300, -1e300, NAN, -1.75};
  MetaArray doubles = array_of(MetaType::kF64, f64);
  EXPECT_EQ(doubles.integer_at(0), INT64_MAX);
  EXPECT_EQ(doubles.integer_at(1), INT64_MIN);
  EXPECT_EQ(doubles.integer_at(2), 0);
  EXPECT_EQ(doubles.integer_at(3), -1);
}

TEST(MetaArray, DataNeedNotBeAligned) {
  std::array<std::byte, 9> bytes{};
  int32_t value = -7;
  std::memcpy(bytes.data() + 1, &value, sizeof value);
  MetaArray array{.item = MetaType::kI32, .count = 1, .raw = std::span(bytes).subspan(1, 4)};
  EXPECT_EQ(array.integer_at(0), -7);
  EXPECT_EQ(array.number_at(0), -7.0);
}

TEST(MetaArrayDeathTest, IndexBeyondTheEnd) {
  std::array<uint8_t, 2> u8{0, 255};
  MetaArray array = array_of(MetaType::kU8, u8);
  EXPECT_DEATH(array.integer_at(2), "this is a bug in Hearth");
}

TEST(QuoteName, OneLineWhateverTheBytes) {
  EXPECT_EQ(quote_name("blk.0"), "'blk.0'");
  EXPECT_EQ(quote_name("a\n\t\x7F"), "'a\\x0a\\x09\\x7f'");
  EXPECT_EQ(quote_name("it's"), "'it\\x27s'");
  EXPECT_EQ(quote_name("\xC3\xBC\xFF"), "'\xC3\xBC\\xff'");
  EXPECT_EQ(quote_name("\xE2\x80\xA8"), "'\\xe2\\x80\\xa8'") << "a line separator";
  EXPECT_EQ(quote_name(std::string(200, 'a')), "'" + std::string(80, 'a') + "...'");
}

}  // namespace
}  // namespace hearth
