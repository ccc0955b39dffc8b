#include "tokenizer/merge_table.h"

#include <bit>

#include "base/check.h"

namespace hearth {

void MergeTable::reserve(size_t merges) {
  CHECK(merges < (size_t{1} << 31));
  seed_ = hash_seed();
  slots_.assign(std::bit_ceil(merges + merges / 2 + 2), Slot{});
  mask_ = slots_.size() - 1;
}

void MergeTable::add(int32_t left, int32_t right, Merge merge, bool replace) {
  CHECK(left >= 0 && right >= 0 && size_ + 1 < slots_.size());
  const auto l = static_cast<uint32_t>(left), r = static_cast<uint32_t>(right);
  uint64_t at = hash_pair(l, r, seed_) & mask_;
  while (slots_[at].left != kFree) {
    if (slots_[at].left == l && slots_[at].right == r) {
      if (replace) slots_[at].merge = merge;
      return;
    }
    at = (at + 1) & mask_;
  }
  slots_[at] = Slot{l, r, merge};
  ++size_;
}

}  // namespace hearth
