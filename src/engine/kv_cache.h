// KvCache: keys and values of the past in blocks of kKvBlock positions, handed out from a pool.
// Layers of one kind and window share a group; a block of a group holds its positions for every
// layer of the group. A sequence has one block list per group. Windowed groups give blocks back
// as soon as no later position can see them. Sequences that came from one by fork() share its
// blocks until one of them writes; so do those that begin alike, through an index of what was
// computed before (prefix_index.h), whose blocks are given up, the least recently used first, when
// the pool is spent. What is pinned there stays until its time has come: of an owner's a quarter of
// the pool at most, of all owners' a half.
//
// One thread at a time (the engine's); kernels only read and write through the addresses.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/result.h"
#include "engine/batch.h"
#include "engine/prefix_index.h"
#include "kernels/api.h"
#include "nn/program.h"

namespace hearth {

class KvCache {
 public:
  // Room for `tokens_max` positions in all (rounded up to blocks), in layers with windows for
  // `window_tokens_max` where that is fewer; memory is taken as blocks are used. kUnsupported for
  // cache kinds that are not built.
  static Result<std::unique_ptr<KvCache>> create(const Program& program, KvType type,
                                                 int64_t tokens_max,
                                                 int64_t window_tokens_max = INT64_MAX);
  // Positions, in whole blocks, that one sequence takes at most of the room in layers with a window
  // while it writes `chunk` of them at a time.
  static int64_t window_room(int32_t window, int64_t chunk);
  ~KvCache();

  SequenceId add_sequence();
  void remove_sequence(SequenceId sequence);
  // A sequence that holds what `sequence` holds. Costs nothing until one of the two writes into a
  // block of both, which is then copied.
  SequenceId fork(SequenceId sequence);
  // A new sequence takes over what is known of `tokens` under a salt: positions below the answer
  // need not be computed. REQUIRES: length() is 0, and no position was reserved.
  int64_t adopt(SequenceId sequence, PrefixSalt salt, std::span<const TokenId> tokens);
  // Makes known what the sequence's whole blocks hold, for others to adopt. `tokens`: those of
  // positions [0, length()). Only new blocks cost something. Before a salt is given by adopt() it
  // is 0.
  void publish(SequenceId sequence, std::span<const TokenId> tokens);
  // Pins what is known of the sequence's positions below `tokens`, until a time: whole blocks, as
  // many from the beginning on as the limits allow. Returns how many positions that are.
  int64_t pin(SequenceId sequence, int64_t tokens, PrefixIndex::Time until);
  // All pins leave so many positions of the pool to others; 0 before it is called.
  void spare_from_pins(int64_t tokens) { spared_ = tokens; }
  // Ends the pins whose time has come, of which none has before next_unpin().
  void unpin(PrefixIndex::Time now) { prefixes_->unpin(now); }
  PrefixIndex::Time next_unpin() const { return prefixes_->next_unpin(); }
  int64_t tokens_pinned() const;
  // Gives up all that no sequence uses and no pin keeps.
  void forget_prefixes();
  // Gives memory of free blocks back to the system, in slabs of 64 that have no other blocks.
  // Returns how many slabs: `slabs` at most, fewer where there are no more.
  int64_t give_back(int64_t slabs);
  // Room for so many sequences of `tokens_each` positions, where that is more than before.
  void grow(int64_t sequences, int64_t tokens_each);

  // Makes room for positions below `tokens`, of which those from the length on are going to be
  // written; kTooLarge when the pool is spent (nothing changes).
  Result<void> reserve(SequenceId sequence, int64_t tokens);
  // The same for a prompt of which `chunk` positions at a time will be written, each time after a
  // reserve(): in layers with windows only what it holds at once, and gives back as it goes on.
  Result<void> reserve_prompt(SequenceId sequence, int64_t tokens, int64_t chunk);
  // Positions below `tokens` are now filled; frees what windows have passed.
  void advance(SequenceId sequence, int64_t tokens);
  int64_t length(SequenceId sequence) const;
  // Forgets positions from `tokens` on; returns how many remain: `tokens`, fewer when no more were
  // there, or 0 when a window has already let go of what position `tokens` needs.
  int64_t rewind(SequenceId sequence, int64_t tokens);

  // The block list that cache `index` of the program uses, and where its keys and values of one
  // head lie inside each block. Values of a latent cache have no place of their own: the first
  // value_dim numbers of a key are the value, stored as kernels/kv.h has it for keys.
  std::span<const std::byte* const> blocks(SequenceId sequence, int32_t index) const;
  size_t key_offset(int32_t index, int32_t kv_head) const;
  size_t value_offset(int32_t index, int32_t kv_head) const;

  KvType type() const { return type_; }
  // Of one head in a block: its keys, and its values where they are not the keys' own numbers.
  static int64_t head_bytes(const CacheSpec& spec, KvType type);
  // What the caches of a program take for a number of a key or value, scales included.
  static double bytes_per_number(const Program& program, KvType type);
  // Blocks that sequences hold, those that are kept only to be adopted, and those that are pinned,
  // of both.
  int64_t blocks_used() const;
  int64_t blocks_kept() const;
  int64_t blocks_pinned() const;

  // Blocks that there are, and may be at most, of all groups; O(groups), any thread for the latter.
  int64_t blocks_made() const;
  int64_t blocks_max() const;
  int64_t bytes_max() const;

  // Every block is free or in as many lists as it has owners; CHECKs.
  void check_integrity() const;

 private:
  struct Group;
  struct Sequence;
  KvCache() = default;
  bool own_block_at(SequenceId sequence, int64_t position);
  bool extend(size_t group, SequenceId sequence, int64_t tokens);
  std::byte* take(size_t group);
  bool give_up_one_prefix();
  bool give_up_passed_blocks(size_t group);
  int64_t usable_prefix(std::span<const PrefixNode> nodes, PrefixIndex::Part part) const;
  void join_node(Sequence& sequence, PrefixNode node, size_t block);
  const CacheSpec& spec(int32_t index) const { return specs_[static_cast<size_t>(index)]; }

  KvType type_ = KvType::kF16;
  std::vector<CacheSpec> specs_;
  std::vector<int32_t> group_of_;     // cache index -> group
  std::vector<size_t> layer_offset_;  // cache index -> offset of its keys inside a block
  std::vector<std::unique_ptr<Group>> groups_;
  std::vector<std::unique_ptr<Sequence>> sequences_;
  std::vector<size_t> before_;  // of reserve_prompt(): the lengths of the lists, by group
  std::unique_ptr<PrefixIndex> prefixes_;
  int64_t spared_ = 0;  // positions
};

}  // namespace hearth
