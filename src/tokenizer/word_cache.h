// WordCache: the ids of words seen lately. Direct-mapped, a megabyte, short words only; a hit
// saves the merging, and text is mostly words seen before. One thread at a time.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

#include "tokenizer/hash.h"

namespace hearth {

class WordCache {
 public:
  static constexpr size_t kBytesMax = 30, kIdsMax = 8;

  // Where a word would be; it may hold another one.
  struct Slot {
    uint8_t bytes = 0, count = 0;  // bytes 0: free
    std::array<char, kBytesMax> text;
    std::array<int32_t, kIdsMax> ids;
    bool holds(std::string_view word) const {
      return bytes == word.size() && std::memcmp(text.data(), word.data(), word.size()) == 0;
    }
  };

  // nullptr for words that are not cached. REQUIRES: the word is not empty.
  Slot* slot_of(std::string_view word) {
    if (word.size() > kBytesMax) return nullptr;
    if (slots_.empty()) slots_.resize(kSlots);
    return &slots_[hash_bytes(word, seed_) & (kSlots - 1)];
  }

  static void store(Slot& slot, std::string_view word, const int32_t* ids, size_t count) {
    if (count > kIdsMax) return;
    slot.bytes = static_cast<uint8_t>(word.size());
    slot.count = static_cast<uint8_t>(count);
    std::memcpy(slot.text.data(), word.data(), word.size());
    std::copy_n(ids, count, slot.ids.begin());  // a word of unknown characters has none
  }

 private:
  static constexpr size_t kSlots = 1 << 14;
  std::vector<Slot> slots_;
  uint64_t seed_ = hash_seed();
};

}  // namespace hearth
