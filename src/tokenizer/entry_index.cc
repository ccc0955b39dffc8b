#include "tokenizer/entry_index.h"

#include <bit>

#include "base/check.h"
#include "tokenizer/hash.h"

namespace hearth {

void EntryIndex::build(const std::vector<std::string>& entries) {
  CHECK(entries.size() < (size_t{1} << 31));
  slots_.assign(std::bit_ceil(entries.size() * 2 + 2), Slot{});
  mask_ = slots_.size() - 1;
  const uint64_t seed = hash_seed();
  for (size_t id = 0; id < entries.size(); ++id) {
    const std::string& text = entries[id];
    if (text.empty()) continue;
    const uint64_t hash = hash_bytes(text, seed);
    const auto tag = static_cast<uint32_t>(hash >> 32);
    uint64_t at = hash & mask_;
    while (slots_[at].id_plus_one != 0) {
      const Slot& slot = slots_[at];
      if (slot.tag == tag && entries[slot.id_plus_one - 1] == text) break;
      at = (at + 1) & mask_;
    }
    slots_[at] = Slot{tag, static_cast<uint32_t>(id + 1)};
  }
}

uint64_t EntryIndex::hash(std::string_view text) { return hash_bytes(text, hash_seed()); }

void EntryIndex::prefetch_slot(uint64_t hash) const {
  if (!slots_.empty()) __builtin_prefetch(&slots_[hash & mask_]);
}

void EntryIndex::prefetch_entry(uint64_t hash, const std::vector<std::string>& entries) const {
  if (slots_.empty()) return;
  const Slot& slot = slots_[hash & mask_];
  if (slot.id_plus_one != 0) __builtin_prefetch(&entries[slot.id_plus_one - 1]);
}

int32_t EntryIndex::find(std::string_view text, uint64_t hash,
                         const std::vector<std::string>& entries) const {
  if (slots_.empty() || text.empty()) return -1;
  const auto tag = static_cast<uint32_t>(hash >> 32);
  for (uint64_t at = hash & mask_; slots_[at].id_plus_one != 0; at = (at + 1) & mask_) {
    const Slot& slot = slots_[at];
    if (slot.tag == tag && entries[slot.id_plus_one - 1] == text)
      return static_cast<int32_t>(slot.id_plus_one - 1);
  }
  return -1;
}

}  // namespace hearth
