// Hashing of short byte strings and of pairs of ids. The seed is drawn once per process, so that a
// file cannot be made whose entries collide; no result of the tokenizer depends on it.
#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>

namespace hearth {

uint64_t hash_seed();  // the same value for the whole life of the process

namespace hash_detail {

inline uint64_t fold(uint64_t a, uint64_t b) {
  const unsigned __int128 product = static_cast<unsigned __int128>(a) * b;
  return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
}

inline uint64_t load8(const char* at) {
  uint64_t value;
  std::memcpy(&value, at, 8);
  return value;
}

inline uint64_t load4(const char* at) {
  uint32_t value;
  std::memcpy(&value, at, 4);
  return value;
}

// The last 1..8 bytes of a string of n bytes, read without going past its end.
inline uint64_t load_tail(const char* at, size_t n) {
  if (n >= 8) return load8(at + n - 8);
  if (n >= 4) return load4(at) << 32 | load4(at + n - 4);
  if (n == 0) return 0;
  const auto byte = [&](size_t i) { return static_cast<uint64_t>(static_cast<uint8_t>(at[i])); };
  return byte(0) << 16 | byte(n / 2) << 8 | byte(n - 1);
}

}  // namespace hash_detail

inline uint64_t hash_bytes(std::string_view text, uint64_t seed) {
  using namespace hash_detail;
  const char* at = text.data();
  size_t left = text.size();
  uint64_t state = seed ^ (0x9E3779B97F4A7C15u * (left + 1));
  const uint64_t tail = load_tail(at, left);
  for (; left > 8; left -= 8, at += 8) state = fold(state ^ load8(at), 0xD6E8FEB86659FD93u);
  return fold(state ^ tail, 0xA0761D6478BD642Fu);
}

inline uint64_t hash_pair(uint32_t left, uint32_t right, uint64_t seed) {
  const uint64_t key = static_cast<uint64_t>(left) << 32 | right;
  return hash_detail::fold(key ^ seed, 0x9E3779B97F4A7C15u);
}

}  // namespace hearth
