// Known vectors of SHA-256 (FIPS 180-4, and the NIST long message of a million 'a') and of Philox
// 4x32-10 (the authors' Random123, file kat_vectors).
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "base/file.h"
#include "base/rng.h"
#include "base/sha256.h"

namespace hearth {
namespace {

TEST(Sha256, KnownVectors) {
  EXPECT_EQ(sha256_hex(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha256_hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha256_hex("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

TEST(Sha256, PiecesAndFile) {
  constexpr const char* kMillion =
      "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0";
  std::string text(1'000'000, 'a');
  Sha256 hash;
  auto bytes = std::as_bytes(std::span(text));
  for (size_t at = 0; at < bytes.size(); at += 997)
    hash.update(bytes.subspan(at, std::min<size_t>(997, bytes.size() - at)));
  EXPECT_EQ(hash.finish(), kMillion);
  auto path = std::filesystem::path(testing::TempDir()) / ("sha-" + std::to_string(getpid()));
  ASSERT_TRUE(write_file_atomic(path, text).has_value());
  EXPECT_EQ(sha256_file(path).value(), kMillion);
  std::filesystem::remove(path);
  EXPECT_EQ(sha256_file(path).error().code, Code::kNotFound);
}

TEST(Philox, KnownVectors) {
  using Four = std::array<uint32_t, 4>;
  EXPECT_EQ(philox(0, 0, 0), (Four{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(philox(UINT64_MAX, UINT64_MAX, UINT64_MAX),
            (Four{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  // Counter words 243f6a88 85a308d3 13198a2e 03707344, key words a4093822 299f31d0.
  EXPECT_EQ(philox(0x299f31d0a4093822, 0x0370734413198a2e, 0x85a308d3243f6a88),
            (Four{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Philox, UniformLiesInTheUnitInterval) {
  double sum = 0;
  for (uint64_t i = 0; i < 100'000; ++i) {
    double value = uniform(42, 7, i);
    ASSERT_GE(value, 0.0);
    ASSERT_LT(value, 1.0);
    sum += value;
  }
  EXPECT_NEAR(sum / 100'000, 0.5, 0.005);
  EXPECT_EQ(uniform(1, 2, 3), uniform(1, 2, 3));
  EXPECT_NE(uniform(1, 2, 3), uniform(1, 3, 3));
  EXPECT_NE(uniform(1, 2, 3), uniform(2, 2, 3));
}

}  // namespace
}  // namespace hearth
