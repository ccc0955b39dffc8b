// MergeTable: the merges of a byte-pair vocabulary, from a pair of ids to its rank and the id of
// the joined entry. Flat, open addressing, read-only once filled.
#pragma once

#include <cstdint>
#include <vector>

#include "tokenizer/hash.h"
#include "tokenizer/merge.h"

namespace hearth {

class MergeTable {
 public:
  void reserve(size_t merges);  // before the first add(); at most this many are added

  // Where a pair comes twice, the first rank stays unless `replace`.
  void add(int32_t left, int32_t right, Merge merge, bool replace);

  Merge find(int32_t left, int32_t right) const {
    if ((left | right) < 0 || slots_.empty()) return {};
    const auto l = static_cast<uint32_t>(left), r = static_cast<uint32_t>(right);
    for (uint64_t at = hash_pair(l, r, seed_) & mask_;; at = (at + 1) & mask_) {
      const Slot& slot = slots_[at];
      if (slot.left == l && slot.right == r) return slot.merge;
      if (slot.left == kFree) return {};
    }
  }

  void prefetch(int32_t left, int32_t right) const {
    if ((left | right) < 0 || slots_.empty()) return;
    const auto l = static_cast<uint32_t>(left), r = static_cast<uint32_t>(right);
    __builtin_prefetch(&slots_[hash_pair(l, r, seed_) & mask_]);
  }

  size_t size() const { return size_; }

 private:
  static constexpr uint32_t kFree = UINT32_MAX;
  struct Slot {
    uint32_t left = kFree, right = kFree;
    Merge merge;
  };
  std::vector<Slot> slots_;
  uint64_t mask_ = 0, seed_ = 0;
  size_t size_ = 0;
};

}  // namespace hearth
