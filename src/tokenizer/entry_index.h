// EntryIndex: from the text of a vocabulary entry to its id. A flat table of ids with open
// addressing; the texts stay where they are, in the vector that every call is given. Where an
// entry occurs twice, the last id is found, as in the maps of the reference implementations.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace hearth {

class EntryIndex {
 public:
  // Indexes all entries but the empty ones. REQUIRES: fewer than 2^31 entries.
  void build(const std::vector<std::string>& entries);

  // The id, or -1. REQUIRES: the vector that was built from, unchanged.
  int32_t find(std::string_view text, const std::vector<std::string>& entries) const {
    return find(text, hash(text), entries);
  }

  // The same in steps, for whoever looks up many texts: each step asks for the memory that the
  // next one reads, so that the waits of many look-ups fall together.
  static uint64_t hash(std::string_view text);
  void prefetch_slot(uint64_t hash) const;
  void prefetch_entry(uint64_t hash, const std::vector<std::string>& entries) const;
  int32_t find(std::string_view text, uint64_t hash,
               const std::vector<std::string>& entries) const;

 private:
  struct Slot {
    uint32_t tag = 0;          // high half of the hash
    uint32_t id_plus_one = 0;  // 0: free
  };
  std::vector<Slot> slots_;
  uint64_t mask_ = 0;
};

}  // namespace hearth
