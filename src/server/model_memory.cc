#include "server/model_memory.h"

#include <algorithm>
#include <limits>

#include "base/math.h"
#include "engine/kv_cache.h"
#include "engine/serving/engine.h"

namespace hearth::server {
namespace {

constexpr uint64_t kMost = std::numeric_limits<uint64_t>::max();
constexpr uint64_t kOwnerBytes = 64;  // behind each block, who holds it

uint64_t sum(uint64_t a, uint64_t b) { return checked_add(a, b).value_or(kMost); }
uint64_t product(uint64_t a, uint64_t b) { return checked_mul(a, b).value_or(kMost); }

uint64_t blocks_of(int64_t tokens) {
  return static_cast<uint64_t>(tokens / kKvBlock + (tokens % kKvBlock != 0 ? 1 : 0));
}

double gib(uint64_t bytes) { return static_cast<double>(bytes) / (1 << 30); }

// The largest number of `step`s up to `most` for which `fits` says yes; 0 where none does.
template <class F>
int64_t largest(int64_t most, int64_t step, F&& fits) {
  int64_t low = 0, high = most / step;
  while (low < high) {
    const int64_t middle = low + (high - low + 1) / 2;
    if (fits(middle * step)) low = middle;
    else high = middle - 1;
  }
  return low * step;
}

}  // namespace

CacheCost::CacheCost(const Program& program, KvType type) {
  for (const CacheSpec& spec : program.caches) {
    const int32_t window = spec.kind == CacheKind::kWindowed ? spec.window : 0;
    auto part = std::ranges::find(parts_, window, &Part::window);
    if (part == parts_.end()) part = parts_.insert(part, {window, kOwnerBytes});
    part->block_bytes += static_cast<uint64_t>(spec.kv_heads) *
                         static_cast<uint64_t>(KvCache::head_bytes(spec, type));
  }
}

uint64_t CacheCost::pool(int64_t tokens, int64_t window_tokens) const {
  uint64_t bytes = 0;
  for (const Part& part : parts_) {
    const int64_t own = part.window > 0 ? std::min(tokens, window_tokens) : tokens;
    bytes = sum(bytes, product(blocks_of(own) + 1, part.block_bytes));
  }
  return bytes;
}

int64_t CacheCost::window_room() const {
  int64_t room = 0;
  for (const Part& part : parts_)
    if (part.window > 0)
      room = std::max(room,
                      KvCache::window_room(part.window, ServingModelOptions().prompt_rows));
  return room;
}

Result<int64_t> fit_context(const ModelNeeds& needs, uint64_t memory_max) {
  auto fits = [&](int64_t tokens) {
    return sum(needs.weight_bytes, needs.cache.sequence(tokens)) <= memory_max;
  };
  if (fits(needs.context)) return needs.context;
  const int64_t least = std::min(needs.context, kContextMin);
  const int64_t cut = largest(needs.context, kContextStep, fits);
  if (cut >= least && cut > 0) return cut;
  return fail(Code::kTooLarge,
              "{} needs {:.2f} GiB for its weights and {:.2f} GiB for a context of {} tokens, but "
              "models may take {:.2f} GiB in all; take a smaller model or one of fewer bits, or "
              "allow more memory",
              needs.name, gib(needs.weight_bytes), gib(needs.cache.sequence(least)), least,
              gib(memory_max));
}

int64_t shared_context(const CacheCost& cost, int64_t context, uint64_t memory_max) {
  if (context <= kContextShared || cost.sequence(context) <= memory_max / 4) return context;
  return std::max(kContextShared, largest(context, kContextStep, [&](int64_t n) {
                    return cost.sequence(n) <= memory_max / 4;
                  }));
}

CachePlan plan_cache(const CacheCost& cost, int64_t context, uint64_t room, uint64_t memory_max) {
  const uint64_t share = std::min(room, memory_max / 4);
  const int64_t most = std::min(context, INT64_MAX / kSequencesMax) * kSequencesMax;
  const int64_t tokens =
      largest(most, kKvBlock, [&](int64_t n) { return cost.pool(n) <= share; });
  if (tokens > context) return {tokens, tokens, cost.pool(tokens)};
  const int64_t windows = std::max(
      std::min(context, cost.window_room()),
      largest(context, kKvBlock, [&](int64_t n) { return cost.pool(context, n) <= room; }));
  return {context, windows, cost.pool(context, windows)};
}

}  // namespace hearth::server
