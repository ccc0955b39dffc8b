#include "engine/kv_cache.h"

#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <unordered_map>

#include "base/check.h"
#include "base/math.h"

namespace hearth {

constexpr size_t kLine = 64;  // of the processor's cache; blocks are whole lines

// Fresh memory that begins at a multiple of `unit`, a power of two; nullptr where there is none.
static std::byte* map_aligned(size_t bytes, size_t unit) {
  void* mapped = mmap(nullptr, bytes + unit, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (mapped == MAP_FAILED) return nullptr;
  const auto begin = reinterpret_cast<uintptr_t>(mapped);
  const uintptr_t base = round_up<uintptr_t>(begin, unit);
  constexpr uintptr_t kPage = 4096;
  const uintptr_t end = round_up<uintptr_t>(base + bytes, kPage);
  if (base > begin) munmap(mapped, base - begin);
  if (begin + bytes + unit > end)
    munmap(reinterpret_cast<void*>(end), round_up<uintptr_t>(begin + bytes + unit, kPage) - end);
  return reinterpret_cast<std::byte*>(base);
}

// A pool of equal blocks, taken from the system in slabs. A slab begins with the numbers of its
// blocks' owners: sequences, and the index of prefixes. They lie apart from the blocks, so that to
// reserve one does not touch its memory: whoever computes first does, step by step.
struct KvCache::Group {
  CacheKind kind = CacheKind::kFull;
  int32_t window = 0;
  size_t block_bytes = 0;
  int64_t blocks_max = 0;
  int64_t blocks_made = 0;
  std::vector<std::byte*> free;
  struct Slab { void* base; size_t bytes; };
  std::vector<Slab> slabs;

  static constexpr int64_t kSlabBlocks = 64;
  static constexpr size_t kHeader = 4096;  // bytes; a page
  static_assert(kSlabBlocks * sizeof(int32_t) <= kHeader);
  size_t stride() const { return block_bytes + kLine; }
  // Slabs begin at multiples of it, so that a block's address tells its slab.
  size_t slab_unit() const { return std::bit_ceil(kHeader + kSlabBlocks * stride()); }

  ~Group() {
    for (Slab& slab : slabs) munmap(slab.base, slab.bytes);
  }

  // Anonymous pages cost nothing until they are touched; slabs of 64 keep the calls few. A layer's
  // blocks lie far apart, and with small pages each would cost the processor a walk of its tables.
  bool grow() {
    const int64_t count = std::min(kSlabBlocks, blocks_max - blocks_made);
    if (count <= 0) return false;
    const size_t bytes = kHeader + static_cast<size_t>(count) * stride();
    std::byte* base = map_aligned(bytes, slab_unit());
    if (base == nullptr) return false;
    madvise(base + kHeader, bytes - kHeader, MADV_HUGEPAGE);  // where the system has them
    slabs.push_back({base, bytes});
    for (int64_t i = count - 1; i >= 0; --i)
      free.push_back(base + kHeader + static_cast<size_t>(i) * stride());
    blocks_made += count;
    free.reserve(static_cast<size_t>(blocks_made));  // so that release() allocates nothing
    return true;
  }

  std::byte* take() {
    if (free.empty() && !grow()) return nullptr;
    std::byte* block = free.back();
    free.pop_back();
    owners(block) = 1;
    return block;
  }

  // The slab that a block lies in, as its owners' numbers.
  int32_t* slab_of(const std::byte* block) const {
    return reinterpret_cast<int32_t*>(reinterpret_cast<uintptr_t>(block) & ~(slab_unit() - 1));
  }
  int32_t& owners(const std::byte* block) const {
    int32_t* slab = slab_of(block);
    const auto at = static_cast<size_t>(block - reinterpret_cast<std::byte*>(slab)) - kHeader;
    return slab[at / stride()];
  }
  const std::byte* share(const std::byte* block) {
    ++owners(block);
    return block;
  }
  // One owner less; the last one gives it back.
  void release(const std::byte* block) {
    if (--owners(block) == 0) free.push_back(const_cast<std::byte*>(block));
  }

  // Gives slabs whose blocks are all free back to the system, so many at most; returns how many.
  int64_t give_back(int64_t most) {
    constexpr int32_t kGone = -1;  // in place of the first number
    auto numbers = [](const Slab& slab) {
      return std::span(static_cast<int32_t*>(slab.base), kSlabBlocks);
    };
    int64_t count = 0;
    for (const Slab& slab : slabs) {
      if (count == most) break;
      if (std::ranges::any_of(numbers(slab), [](int32_t owners) { return owners != 0; })) continue;
      numbers(slab)[0] = kGone;
      ++count;
    }
    if (count == 0) return 0;
    std::erase_if(free, [&](const std::byte* block) { return *slab_of(block) == kGone; });
    for (size_t i = slabs.size(); i-- > 0;) {
      const Slab slab = slabs[i];
      if (numbers(slab)[0] != kGone) continue;
      blocks_made -= static_cast<int64_t>((slab.bytes - kHeader) / stride());
      slabs[i] = slabs.back();
      slabs.pop_back();
      munmap(slab.base, slab.bytes);
    }
    return count;
  }
};

struct KvCache::Sequence {
  int64_t length = 0;
  // Per group: block b holds positions [b * kKvBlock, ...); nullptr where a window has passed.
  std::vector<std::vector<const std::byte*>> blocks;
  PrefixSalt salt = 0;
  std::vector<PrefixNode> nodes;  // of the first whole blocks, as far as they are known
};

int64_t KvCache::head_bytes(const CacheSpec& spec, KvType type) {
  const int64_t keys = kv_key_bytes(type, spec.key_dim);
  return spec.kind == CacheKind::kLatent ? keys : keys + kv_value_bytes(type, spec.value_dim);
}

namespace {

// The first block that a position >= `length` can still see through a window.
int64_t first_visible_block(int64_t length, int32_t window) {
  return std::max<int64_t>(0, length - window + 1) / kKvBlock;
}

}  // namespace

// The window, the positions to be written, and at both ends a part of a block; and one block that
// is copied because others have it too.
int64_t KvCache::window_room(int32_t window, int64_t chunk) {
  return (ceil_div<int64_t>(window + chunk, kKvBlock) + 3) * kKvBlock;
}

Result<std::unique_ptr<KvCache>> KvCache::create(const Program& program, KvType type,
                                                 int64_t tokens_max, int64_t window_tokens_max) {
  std::unique_ptr<KvCache> cache(new KvCache);
  cache->type_ = type;
  cache->specs_ = program.caches;
  for (const CacheSpec& spec : program.caches) {
    if (spec.kind == CacheKind::kRecurrent)
      return fail(Code::kUnsupported, "layer {} needs a kind of cache that is not built yet",
                  spec.layer);
    CHECK(spec.kind != CacheKind::kLatent || spec.value_dim <= spec.key_dim);
    auto same = [&](const std::unique_ptr<Group>& g) {
      return g->kind == spec.kind && g->window == spec.window;
    };
    auto it = std::ranges::find_if(cache->groups_, same);
    if (it == cache->groups_.end()) {
      cache->groups_.push_back(std::make_unique<Group>());
      it = cache->groups_.end() - 1;
      (*it)->kind = spec.kind;
      (*it)->window = spec.window;
      // One block more than the positions need: a window's list may begin inside a block.
      const bool windowed = spec.kind == CacheKind::kWindowed;
      (*it)->blocks_max =
          ceil_div<int64_t>(windowed ? std::min(tokens_max, window_tokens_max) : tokens_max,
                            kKvBlock) + 1;
    }
    Group& group = **it;
    cache->group_of_.push_back(static_cast<int32_t>(it - cache->groups_.begin()));
    cache->layer_offset_.push_back(group.block_bytes);
    group.block_bytes += static_cast<size_t>(spec.kv_heads * head_bytes(spec, type));
  }
  cache->before_.resize(cache->groups_.size());
  cache->prefixes_ = std::make_unique<PrefixIndex>(cache->groups_.size());
  return cache;
}

KvCache::~KvCache() = default;

SequenceId KvCache::add_sequence() {
  auto made = std::make_unique<Sequence>();
  made->blocks.resize(groups_.size());
  auto slot = std::find(sequences_.begin(), sequences_.end(), nullptr);
  if (slot == sequences_.end()) slot = sequences_.insert(slot, nullptr);
  *slot = std::move(made);
  return static_cast<SequenceId>(slot - sequences_.begin());
}

void KvCache::remove_sequence(SequenceId sequence) {
  rewind(sequence, 0);
  sequences_[static_cast<size_t>(sequence)].reset();
}

SequenceId KvCache::fork(SequenceId from) {
  SequenceId id = add_sequence();
  Sequence& copy = *sequences_[static_cast<size_t>(id)];
  copy = *sequences_[static_cast<size_t>(from)];
  auto filled = static_cast<size_t>(ceil_div<int64_t>(copy.length, kKvBlock));
  for (size_t g = 0; g < groups_.size(); ++g) {
    auto& list = copy.blocks[g];
    list.resize(std::min(list.size(), filled));
    for (const std::byte* block : list)
      if (block != nullptr) groups_[g]->share(block);
  }
  for (PrefixNode node : copy.nodes) prefixes_->use(node);
  return id;
}

void KvCache::grow(int64_t sequences, int64_t tokens_each) {
  const int64_t blocks = sequences * (ceil_div<int64_t>(tokens_each, kKvBlock) + 1);
  for (auto& group : groups_) group->blocks_max = std::max(group->blocks_max, blocks);
}

// The block of a position that is going to be written, where it is filled in part already: a copy
// where others have it too. False when the pool is spent.
bool KvCache::own_block_at(SequenceId id, int64_t position) {
  if (position % kKvBlock == 0) return true;
  Sequence& sequence = *sequences_[static_cast<size_t>(id)];
  auto index = static_cast<size_t>(position / kKvBlock);
  for (size_t g = 0; g < groups_.size(); ++g) {
    Group& group = *groups_[g];
    const std::byte*& block = sequence.blocks[g][index];
    if (block == nullptr || group.owners(block) == 1) continue;
    std::byte* own = take(g);
    if (own == nullptr) return false;
    std::memcpy(own, block, group.block_bytes);
    group.release(block);
    block = own;
  }
  return true;
}

// Blocks of a group for positions below `tokens`; false when the pool is spent.
bool KvCache::extend(size_t g, SequenceId id, int64_t tokens) {
  auto& list = sequences_[static_cast<size_t>(id)]->blocks[g];
  const auto wanted = static_cast<size_t>(ceil_div<int64_t>(tokens, kKvBlock));
  while (list.size() < wanted) {
    std::byte* block = take(g);
    if (block == nullptr) return false;
    list.push_back(block);
  }
  return true;
}

Result<void> KvCache::reserve(SequenceId id, int64_t tokens) {
  return reserve_prompt(id, tokens, tokens);
}

Result<void> KvCache::reserve_prompt(SequenceId id, int64_t tokens, int64_t chunk) {
  Sequence& sequence = *sequences_[static_cast<size_t>(id)];
  if (tokens > sequence.length && !own_block_at(id, sequence.length))
    return fail(Code::kTooLarge, "the cache is full: a copy of a block does not fit");
  for (size_t g = 0; g < groups_.size(); ++g) before_[g] = sequence.blocks[g].size();
  for (size_t g = 0; g < groups_.size(); ++g) {
    int64_t end = tokens;
    if (groups_[g]->kind == CacheKind::kWindowed)
      end = std::min(end, std::max<int64_t>(sequence.length, groups_[g]->window) + chunk);
    if (extend(g, id, end)) continue;
    for (size_t h = 0; h <= g; ++h)
      for (auto& mine = sequence.blocks[h]; mine.size() > before_[h]; mine.pop_back())
        groups_[h]->release(mine.back());
    return fail(Code::kTooLarge, "the cache is full: {} more positions do not fit",
                tokens - sequence.length);
  }
  return {};
}

void KvCache::advance(SequenceId id, int64_t tokens) {
  Sequence& sequence = *sequences_[static_cast<size_t>(id)];
  sequence.length = tokens;
  for (size_t g = 0; g < groups_.size(); ++g) {
    if (groups_[g]->kind != CacheKind::kWindowed) continue;
    auto& list = sequence.blocks[g];
    auto end = std::min<int64_t>(first_visible_block(tokens, groups_[g]->window),
                                 static_cast<int64_t>(list.size()));
    for (int64_t b = end - 1; b >= 0 && list[static_cast<size_t>(b)] != nullptr; --b) {
      groups_[g]->release(list[static_cast<size_t>(b)]);
      list[static_cast<size_t>(b)] = nullptr;
    }
  }
}

int64_t KvCache::length(SequenceId id) const {
  return sequences_[static_cast<size_t>(id)]->length;
}

int64_t KvCache::rewind(SequenceId id, int64_t tokens) {
  Sequence& sequence = *sequences_[static_cast<size_t>(id)];
  for (size_t g = 0; g < groups_.size(); ++g) {
    if (groups_[g]->kind != CacheKind::kWindowed) continue;
    auto first = static_cast<size_t>(first_visible_block(tokens, groups_[g]->window));
    const auto& list = sequence.blocks[g];
    for (size_t b = first; b < list.size() && static_cast<int64_t>(b) * kKvBlock < tokens; ++b)
      if (list[b] == nullptr) tokens = 0;
  }
  const auto known = static_cast<size_t>(tokens / kKvBlock);
  for (; sequence.nodes.size() > known; sequence.nodes.pop_back())
    prefixes_->drop(sequence.nodes.back());
  auto keep = static_cast<size_t>(ceil_div<int64_t>(tokens, kKvBlock));
  for (size_t g = 0; g < groups_.size(); ++g) {
    auto& list = sequence.blocks[g];
    for (; list.size() > keep; list.pop_back())
      if (list.back() != nullptr) groups_[g]->release(list.back());
  }
  sequence.length = std::min(sequence.length, tokens);
  return sequence.length;
}

std::span<const std::byte* const> KvCache::blocks(SequenceId id, int32_t index) const {
  return sequences_[static_cast<size_t>(id)]
      ->blocks[static_cast<size_t>(group_of_[static_cast<size_t>(index)])];
}

// A head's values follow its keys: attention reads both, and longer pieces are read faster.
size_t KvCache::key_offset(int32_t index, int32_t kv_head) const {
  return layer_offset_[static_cast<size_t>(index)] +
         static_cast<size_t>(kv_head * head_bytes(spec(index), type_));
}

size_t KvCache::value_offset(int32_t index, int32_t kv_head) const {
  if (spec(index).kind == CacheKind::kLatent) return key_offset(index, kv_head);
  return key_offset(index, kv_head) +
         static_cast<size_t>(kv_key_bytes(type_, spec(index).key_dim));
}

double KvCache::bytes_per_number(const Program& program, KvType type) {
  double bytes = 0, numbers = 0;
  for (const CacheSpec& spec : program.caches) {
    bytes += spec.kv_heads * static_cast<double>(head_bytes(spec, type)) / kKvBlock;
    const int32_t values = spec.kind == CacheKind::kLatent ? 0 : spec.value_dim;
    numbers += spec.kv_heads * static_cast<double>(spec.key_dim + values);
  }
  return numbers > 0 ? bytes / numbers : 0;
}

std::byte* KvCache::take(size_t g) {
  for (;;) {
    if (std::byte* block = groups_[g]->take(); block != nullptr) return block;
    if (!give_up_one_prefix() && !give_up_passed_blocks(g)) return nullptr;
  }
}

bool KvCache::give_up_one_prefix() {
  const PrefixNode node = prefixes_->first_to_go();
  if (node == kNoPrefix) return false;
  for (size_t g = 0; g < groups_.size(); ++g)
    if (const std::byte* block = prefixes_->blocks(node)[g]; block != nullptr)
      groups_[g]->release(block);
  prefixes_->remove(node);
  return true;
}

void KvCache::forget_prefixes() {
  while (give_up_one_prefix()) {
  }
}

int64_t KvCache::give_back(int64_t slabs) {
  int64_t given = 0;
  for (auto& group : groups_) given += group->give_back(slabs - given);
  return given;
}

int64_t KvCache::pin(SequenceId id, int64_t tokens, PrefixIndex::Time until) {
  int64_t pool = INT64_MAX;
  for (const auto& group : groups_) pool = std::min(pool, group->blocks_max);
  const int64_t others = std::max(pool / 2, ceil_div<int64_t>(spared_, kKvBlock) + 1);
  const auto of_all = static_cast<size_t>(std::max<int64_t>(0, pool - others));
  std::span<const PrefixNode> path = sequences_[static_cast<size_t>(id)]->nodes;
  path = path.first(std::min(path.size(), static_cast<size_t>(tokens / kKvBlock)));
  path = path.first(prefixes_->pinnable(path, static_cast<size_t>(pool / 4), of_all));
  // Not beyond what can be adopted: blocks of windows may have been given up.
  const int64_t usable = usable_prefix(path, {});
  prefixes_->pin(path.first(static_cast<size_t>(usable / kKvBlock)), until);
  return usable;
}

int64_t KvCache::tokens_pinned() const {
  return static_cast<int64_t>(prefixes_->pinned_count()) * kKvBlock;
}

// Of texts that are in use, the blocks that every window has passed. Who adopts such a text later
// must go back further.
bool KvCache::give_up_passed_blocks(size_t g) {
  if (groups_[g]->kind != CacheKind::kWindowed) return false;
  bool any = false;
  prefixes_->for_each([&](PrefixNode node) {
    const std::byte*& block = prefixes_->blocks(node)[g];
    if (block == nullptr || groups_[g]->owners(block) > 1 || prefixes_->pinned(node)) return;
    groups_[g]->release(block);
    block = nullptr;
    any = true;
  });
  return any;
}

// How many positions of these nodes, and of a part of one more, a sequence can begin with: its
// windows must find their blocks.
int64_t KvCache::usable_prefix(std::span<const PrefixNode> nodes, PrefixIndex::Part part) const {
  const auto whole = static_cast<int64_t>(nodes.size()) * kKvBlock;
  auto has_windows = [&](int64_t length) {
    for (size_t g = 0; g < groups_.size(); ++g) {
      if (groups_[g]->kind != CacheKind::kWindowed) continue;
      int64_t b = first_visible_block(length, groups_[g]->window);
      for (; b * kKvBlock < length; ++b) {
        const auto at = static_cast<size_t>(b);
        const PrefixNode node = at < nodes.size() ? nodes[at] : part.node;
        if (prefixes_->blocks(node)[g] == nullptr) return false;
      }
    }
    return true;
  };
  if (part.tokens > 0 && has_windows(whole + part.tokens)) return whole + part.tokens;
  for (int64_t length = whole; length > 0; length -= kKvBlock)
    if (has_windows(length)) return length;
  return 0;
}

int64_t KvCache::adopt(SequenceId id, PrefixSalt salt, std::span<const TokenId> tokens) {
  Sequence& sequence = *sequences_[static_cast<size_t>(id)];
  DCHECK(sequence.length == 0 && sequence.nodes.empty());
  sequence.salt = salt;
  std::vector<PrefixNode>& nodes = sequence.nodes;
  PrefixNode last = kNoPrefix;
  while (tokens.size() >= kKvBlock) {
    const PrefixNode node = prefixes_->find(salt, last, tokens.first(kKvBlock));
    if (node == kNoPrefix) break;
    nodes.push_back(last = node);
    tokens = tokens.subspan(kKvBlock);
  }
  const PrefixIndex::Part part = prefixes_->find_part(salt, last, tokens);
  sequence.length = usable_prefix(nodes, part);
  const auto whole = static_cast<size_t>(sequence.length / kKvBlock);
  const auto filled = static_cast<size_t>(ceil_div<int64_t>(sequence.length, kKvBlock));
  for (size_t g = 0; g < groups_.size(); ++g) {
    size_t visible = 0;
    if (groups_[g]->kind == CacheKind::kWindowed)
      visible = static_cast<size_t>(first_visible_block(sequence.length, groups_[g]->window));
    auto& list = sequence.blocks[g];
    list.assign(filled, nullptr);
    for (size_t b = visible; b < filled; ++b)
      list[b] = groups_[g]->share(prefixes_->blocks(b < nodes.size() ? nodes[b] : part.node)[g]);
  }
  nodes.resize(whole);
  for (PrefixNode node : nodes) prefixes_->use(node);
  return sequence.length;
}

// The sequence's block becomes the node's, or the other way round: they hold the same bits.
void KvCache::join_node(Sequence& sequence, PrefixNode node, size_t b) {
  for (size_t g = 0; g < groups_.size(); ++g) {
    const std::byte*& theirs = prefixes_->blocks(node)[g];
    const std::byte*& own = sequence.blocks[g][b];
    if (own == nullptr || own == theirs) continue;
    if (theirs == nullptr) {
      theirs = groups_[g]->share(own);
    } else {
      groups_[g]->release(own);
      own = groups_[g]->share(theirs);
    }
  }
}

void KvCache::publish(SequenceId id, std::span<const TokenId> tokens) {
  Sequence& sequence = *sequences_[static_cast<size_t>(id)];
  DCHECK(static_cast<int64_t>(tokens.size()) >= sequence.length);
  for (size_t b = sequence.nodes.size(); static_cast<int64_t>(b + 1) * kKvBlock <= sequence.length;
       ++b) {
    const PrefixNode parent = b == 0 ? kNoPrefix : sequence.nodes.back();
    const auto own = tokens.subspan(b * kKvBlock, kKvBlock);
    PrefixNode node = prefixes_->find(sequence.salt, parent, own);
    if (node == kNoPrefix) node = prefixes_->add(sequence.salt, parent, own);
    else prefixes_->use(node);
    join_node(sequence, node, b);
    sequence.nodes.push_back(node);
  }
}

int64_t KvCache::blocks_made() const {
  int64_t made = 0;
  for (const auto& group : groups_) made += group->blocks_made;
  return made;
}

int64_t KvCache::blocks_max() const {
  int64_t most = 0;
  for (const auto& group : groups_) most += group->blocks_max;
  return most;
}

int64_t KvCache::bytes_max() const {
  int64_t bytes = 0;
  for (const auto& group : groups_)
    bytes += group->blocks_max * static_cast<int64_t>(group->block_bytes);
  return bytes;
}

int64_t KvCache::blocks_used() const {
  int64_t used = -blocks_kept();
  for (const auto& group : groups_)
    used += group->blocks_made - static_cast<int64_t>(group->free.size());
  return used;
}

int64_t KvCache::blocks_kept() const {
  int64_t kept = 0;
  const PrefixIndex& index = *prefixes_;
  index.for_each([&](PrefixNode node) {
    for (size_t g = 0; g < groups_.size(); ++g) {
      const std::byte* block = index.blocks(node)[g];
      kept += block != nullptr && groups_[g]->owners(block) == 1;
    }
  });
  return kept;
}

int64_t KvCache::blocks_pinned() const {
  int64_t count = 0;
  const PrefixIndex& index = *prefixes_;
  index.for_each([&](PrefixNode node) {
    if (!index.pinned(node)) return;
    for (const std::byte* block : index.blocks(node)) count += block != nullptr;
  });
  return count;
}

void KvCache::check_integrity() const {
  prefixes_->check_integrity();
  std::unordered_map<PrefixNode, int32_t> users;
  for (const auto& sequence : sequences_) {
    if (sequence == nullptr) continue;
    CHECK(static_cast<int64_t>(sequence->nodes.size()) * kKvBlock <= sequence->length);
    for (PrefixNode node : sequence->nodes) ++users[node];
  }
  prefixes_->for_each([&](PrefixNode node) {
    CHECK(prefixes_->users(node) == users[node] + prefixes_->pinned(node));
  });
  for (size_t g = 0; g < groups_.size(); ++g) {
    Group& group = *groups_[g];
    std::unordered_map<const std::byte*, int32_t> owners;
    for (const std::byte* block : group.free) CHECK(owners.try_emplace(block, 0).second);
    for (const auto& sequence : sequences_)
      if (sequence != nullptr)
        for (const std::byte* block : sequence->blocks[g])
          if (block != nullptr) ++owners[block];
    prefixes_->for_each([&](PrefixNode node) {
      if (const std::byte* block = prefixes_->blocks(node)[g]; block != nullptr) ++owners[block];
    });
    for (const std::byte* block : group.free) CHECK(owners[block] == 0);
    for (auto [block, count] : owners) CHECK(count == 0 || group.owners(block) == count);
    CHECK(static_cast<int64_t>(owners.size()) == group.blocks_made);
  }
}

}  // namespace hearth
