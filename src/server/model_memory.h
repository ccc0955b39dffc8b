// How long the context of a model may be, and how large its cache, in a given memory. Pure
// arithmetic; sums that would wrap stay at the largest number.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "kernels/kv.h"
#include "nn/program.h"

namespace hearth::server {

// What the cache of a model costs, in bytes.
class CacheCost {
 public:
  CacheCost(const Program& program, KvType type);
  // One sequence of so many positions: of layers with a window, what the window needs at most while
  // a prompt is read.
  uint64_t sequence(int64_t tokens) const { return pool(tokens, window_room()); }
  // So many positions of any sequences, of which many short ones hold all in every layer; in layers
  // with windows there may be fewer.
  uint64_t pool(int64_t tokens, int64_t window_tokens) const;
  uint64_t pool(int64_t tokens) const { return pool(tokens, tokens); }
  // Positions that one sequence needs of layers with windows; 0: there are none.
  int64_t window_room() const;

 private:
  struct Part {
    int32_t window = 0;  // 0: everything is kept
    uint64_t block_bytes = 0;
  };
  std::vector<Part> parts_;
};

// Fewer tokens than this are no use, but to models that were made for fewer.
constexpr int64_t kContextMin = 2048;
constexpr int64_t kContextStep = 256;   // a context that memory cuts is a multiple of it
constexpr int64_t kContextShared = 32768;  // what a context may have whatever others need
constexpr int64_t kSequencesMax = 64;   // whole contexts that a cache holds at most

struct ModelNeeds {
  std::string name;           // for messages
  uint64_t weight_bytes = 0;
  int64_t context = 0;        // wanted
  CacheCost cache;
};

// The longest context up to the wanted one of which one sequence fits beside the weights. kTooLarge
// says what is missing.
Result<int64_t> fit_context(const ModelNeeds& needs, uint64_t memory_max);
// How much of a context that fits a model gets where nobody asked for a length: what a quarter of
// the memory holds, and not less than kContextShared, so that others find room beside it.
int64_t shared_context(const CacheCost& cost, int64_t context, uint64_t memory_max);

struct CachePlan {
  int64_t tokens = 0;         // at least one context
  int64_t window_tokens = 0;  // of them in layers with windows
  uint64_t bytes = 0;
};
// A cache for a context that fits: as many positions as `room` bytes and a quarter of `memory_max`
// hold, kSequencesMax contexts at most, one at least. Where one alone is more than that, layers
// with windows get what the others leave of the room.
CachePlan plan_cache(const CacheCost& cost, int64_t context, uint64_t room, uint64_t memory_max);

}  // namespace hearth::server
