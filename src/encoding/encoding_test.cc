// The table, and every row's decode and encode against what gguf (decode) and ggml (encode) do
// with the same numbers: tests/data/encoding, made by tools/make_encoding_vectors.py.
#include "encoding/encoding.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "base/file.h"
#include "encoding/half.h"

namespace hearth {
namespace {

const std::string kData = HEARTH_TEST_DATA "/encoding/";

std::string read(const std::string& name) {
  Result<std::string> text = read_file(kData + name, 1 << 20);
  EXPECT_TRUE(text.has_value()) << name;
  return text.value_or("");
}

template <class T>
std::vector<T> read_array(const std::string& name) {
  const std::string bytes = read(name);
  EXPECT_EQ(bytes.size() % sizeof(T), 0u) << name;
  std::vector<T> out(bytes.size() / sizeof(T));
  if (!out.empty()) std::memcpy(out.data(), bytes.data(), out.size() * sizeof(T));
  return out;
}

// Equal bits, all NaN being alike.
bool same(float a, float b) {
  if (std::isnan(a) || std::isnan(b)) return std::isnan(a) && std::isnan(b);
  return std::bit_cast<uint32_t>(a) == std::bit_cast<uint32_t>(b);
}

std::vector<std::byte> encode(const Encoding& row, const std::vector<float>& x,
                              const float* importance = nullptr) {
  std::vector<std::byte> blocks(row.bytes_of(x.size()));
  row.encode(x.data(), blocks.data(), x.size(), importance);
  return blocks;
}

std::vector<float> decode(const Encoding& row, const std::vector<std::byte>& blocks) {
  std::vector<float> out(blocks.size() / row.block_bytes * row.block_elems);
  row.decode(blocks.data(), out.data(), out.size());
  return out;
}

double squared_error(const std::vector<float>& a, const std::vector<float>& b,
                     const float* weight = nullptr) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    const double difference = double{a[i]} - b[i];
    sum += difference * difference * (weight == nullptr ? 1.0 : weight[i]);
  }
  return sum;
}

TEST(EncodingTable, NamesAndIdsAreUniqueAndFound) {
  std::set<std::string> names;
  std::set<uint32_t> ids;
  for (const Encoding* row : encodings()) {
    EXPECT_TRUE(names.insert(std::string(row->name)).second) << row->name;
    EXPECT_TRUE(ids.insert(row->gguf_id).second) << row->name;
    EXPECT_EQ(find_encoding(row->name), row);
    EXPECT_EQ(find_encoding(row->gguf_id), row);
    EXPECT_EQ(row->bytes_of(4 * row->block_elems), 4 * row->block_bytes);
    ASSERT_NE(row->decode, nullptr);
  }
  EXPECT_EQ(names.size(), 25u);
  EXPECT_EQ(find_encoding("q4_k"), &k_q4_k);
  EXPECT_EQ(find_encoding("iq2_XXS"), &k_iq2_xxs);
  EXPECT_EQ(find_encoding("Q4"), nullptr);
  EXPECT_EQ(find_encoding(""), nullptr);
  EXPECT_EQ(find_encoding(4u), nullptr);
  EXPECT_EQ(k_q4_k.bits_per_value(), 4.5);
}

TEST(EncodingTable, OnlyTheSmallestIqFormatsCannotBeWritten) {
  for (const Encoding* row : encodings()) {
    const std::string start(row->name.substr(0, 3));
    EXPECT_EQ(row->encode == nullptr, start == "IQ1" || start == "IQ2" || start == "IQ3");
  }
}

TEST(EncodingDecode, GivesTheBitsOfTheReference) {
  for (const Encoding* row : encodings()) {
    const std::string name(row->name);
    const auto blocks = read_array<std::byte>("decode/" + name + ".blocks");
    const auto expected = read_array<float>("decode/" + name + ".f32");
    ASSERT_GE(expected.size(), 1000u) << name;
    ASSERT_EQ(row->bytes_of(expected.size()), blocks.size()) << name;
    const std::vector<float> got = decode(*row, blocks);
    size_t wrong = 0;
    for (size_t i = 0; i < got.size(); ++i) {
      if (same(got[i], expected[i])) continue;
      if (++wrong == 1) ADD_FAILURE() << name << "[" << i << "]: " << got[i] << " " << expected[i];
    }
    EXPECT_EQ(wrong, 0u) << name;
  }
}

TEST(EncodingDecode, TakesAnyBytesAtAnyAddress) {
  for (const Encoding* row : encodings()) {
    for (const unsigned char fill : {0x00, 0xff, 0x7f, 0x80}) {
      // One byte past the start of an allocation, so that nothing is aligned.
      std::vector<std::byte> bytes(1 + 2 * row->block_bytes, std::byte{fill});
      std::vector<float> out(2 * row->block_elems);
      row->decode(bytes.data() + 1, out.data(), out.size());
      if (fill == 0x00 && row->name != "MXFP4") {
        EXPECT_EQ(std::fabs(out[0]), 0.0f) << row->name;
      }
      EXPECT_TRUE(same(out.front(), out[row->block_elems])) << row->name;
    }
  }
}

TEST(Half, NarrowsAsTheReferenceDoes) {
  const auto values = read_array<float>("half.f32");
  const auto f16 = read_array<uint16_t>("half.f16");
  const auto bf16 = read_array<uint16_t>("half.bf16");
  ASSERT_EQ(values.size(), f16.size());
  ASSERT_EQ(values.size(), bf16.size());
  for (size_t i = 0; i < values.size(); ++i) {
    if (std::isnan(values[i])) {
      EXPECT_TRUE(std::isnan(f16_to_f32(f32_to_f16(values[i]))));
      EXPECT_TRUE(std::isnan(bf16_to_f32(f32_to_bf16(values[i]))));
      continue;
    }
    EXPECT_EQ(f32_to_f16(values[i]), f16[i]) << std::hexfloat << values[i];
    EXPECT_EQ(f32_to_bf16(values[i]), bf16[i]) << std::hexfloat << values[i];
  }
}

TEST(Half, EveryHalfComesBack) {
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    const auto half = static_cast<uint16_t>(bits);
    const float f = f16_to_f32(half);
    const float b = bf16_to_f32(half);
    const int exponent = half >> 10 & 31;
    if (exponent == 31) {
      EXPECT_EQ(std::isinf(f), (half & 0x3ff) == 0);
    } else {  // by the definition of the format
      const int mantissa = (half & 0x3ff) + (exponent == 0 ? 0 : 0x400);
      const double value = std::ldexp(mantissa, std::max(exponent, 1) - 25);
      EXPECT_EQ(f, (half & 0x8000) != 0 ? -value : value);
      EXPECT_EQ(std::signbit(f), (half & 0x8000) != 0);
    }
    if (std::isnan(f)) {
      EXPECT_TRUE(std::isnan(f16_to_f32(f32_to_f16(f))));
    } else {
      EXPECT_EQ(f32_to_f16(f), half);
    }
    if (!std::isnan(b)) {
      EXPECT_EQ(f32_to_bf16(b), half);
    }
  }
}

struct Rows {
  size_t row_elems = 512;
  std::vector<std::string> kinds;
  std::vector<float> values;

  std::vector<float> row(size_t i) const {
    const auto begin = values.begin() + static_cast<std::ptrdiff_t>(i * row_elems);
    return {begin, begin + static_cast<std::ptrdiff_t>(row_elems)};
  }
};

Rows read_rows() {
  Rows rows;
  std::istringstream kinds(read("encode/rows.txt"));
  for (std::string kind; kinds >> kind;) rows.kinds.push_back(kind);
  rows.values = read_array<float>("encode/rows.f32");
  EXPECT_EQ(rows.values.size(), rows.kinds.size() * rows.row_elems);
  return rows;
}

TEST(EncodingEncode, SquaredErrorIsNoLargerThanGgmls) {
  const Rows rows = read_rows();
  std::istringstream lines(read("encode/errors.txt"));
  size_t formats = 0;
  for (std::string line; std::getline(lines, line); ++formats) {
    std::istringstream fields(line);
    std::string name;
    fields >> name;
    const Encoding* row = find_encoding(name);
    ASSERT_NE(row, nullptr) << name;
    ASSERT_NE(row->encode, nullptr) << name;
    double log_ratio = 0;
    int counted = 0;
    for (size_t i = 0; i < rows.kinds.size(); ++i) {
      double theirs = -1;
      fields >> theirs;
      ASSERT_GE(theirs, 0) << name << " row " << i;
      const std::vector<float> x = rows.row(i);
      const double ours = squared_error(x, decode(*row, encode(*row, x)));
      // The file has ten digits.
      EXPECT_LE(ours, theirs * (1 + 1e-9)) << name << " row " << i << " " << rows.kinds[i];
      if (ours > 0 && theirs > 0 && rows.kinds[i] == "gaussian") {
        log_ratio += std::log(ours / theirs);
        ++counted;
      }
    }
    if (counted > 0) {
      RecordProperty("gaussian_ratio_" + name, std::to_string(std::exp(log_ratio / counted)));
      std::printf("%-7s squared error on Gaussian rows, over ggml's: %.3f\n", name.c_str(),
                  std::exp(log_ratio / counted));
    }
  }
  EXPECT_EQ(formats, 18u);
}

TEST(EncodingEncode, WhatWasDecodedComesBack) {
  // Numbers that a format holds must survive it: quite so where there are no scales, to the
  // rounding of an f16 scale where there is one, and nearly where there are two levels of them.
  const Rows rows = read_rows();
  for (const Encoding* row : encodings()) {
    if (row->encode == nullptr) continue;
    for (size_t i = 0; i < rows.kinds.size(); ++i) {
      if (rows.kinds[i] == "subnormal" || rows.kinds[i] == "tiny") continue;
      const std::vector<float> x = rows.row(i);
      const std::vector<float> once = decode(*row, encode(*row, x));
      const std::vector<float> twice = decode(*row, encode(*row, once));
      const double energy = squared_error(once, std::vector<float>(once.size()));
      const double first = squared_error(x, once);
      double limit = 0;
      if (row->block_elems == 32) limit = energy * 1e-6;
      if (row->block_elems == 256) limit = energy * 1e-6 + first * 0.5;
      EXPECT_LE(squared_error(once, twice), limit) << row->name << " " << rows.kinds[i];
    }
  }
}

TEST(EncodingEncode, ImportanceMovesTheErrorAway) {
  const Rows rows = read_rows();
  std::vector<float> importance(rows.row_elems);
  for (size_t j = 0; j < importance.size(); ++j) importance[j] = j % 5 == 0 ? 50.0f : 1.0f;
  for (const Encoding* row : encodings()) {
    if (row->encode == nullptr || row->block_elems == 1) continue;
    double plain = 0, weighted = 0;
    for (size_t i = 0; i < 8; ++i) {
      const std::vector<float> x = rows.row(i);
      plain += squared_error(x, decode(*row, encode(*row, x)), importance.data());
      weighted +=
          squared_error(x, decode(*row, encode(*row, x, importance.data())), importance.data());
    }
    EXPECT_LT(weighted, plain) << row->name;
  }
}

TEST(EncodingEncode, AnythingEncodesToFiniteNumbers) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float inf = std::numeric_limits<float>::infinity();
  const float max = std::numeric_limits<float>::max();
  const float least = std::numeric_limits<float>::denorm_min();
  const std::vector<std::vector<float>> patterns = {
      {nan}, {inf}, {-inf}, {max}, {max, -max}, {least}, {least, -least, 0}, {-0.0f}, {nan, 1, -2},
      {inf, 1, nan, -1e-30f}, {1e38f, 1e-38f}, {70000, -70000, 1}, {1e-8f, -2e-8f}, {1e30f, 1}};
  for (const Encoding* row : encodings()) {
    if (row->encode == nullptr || row->name == "F32") continue;
    for (size_t p = 0; p < patterns.size(); ++p) {
      const std::vector<float>& pattern = patterns[p];
      const std::vector<float>& other = patterns[(p + 3) % patterns.size()];
      std::vector<float> x(512), importance(512);
      for (size_t i = 0; i < x.size(); ++i) {
        x[i] = pattern[i % pattern.size()];
        importance[i] = other[i % other.size()];
      }
      const float* const none = nullptr;
      for (const float* weights : {none, static_cast<const float*>(importance.data())}) {
        for (const float value : decode(*row, encode(*row, x, weights))) {
          ASSERT_TRUE(std::isfinite(value)) << row->name << " pattern " << p;
        }
      }
    }
  }
}

}  // namespace
}  // namespace hearth
