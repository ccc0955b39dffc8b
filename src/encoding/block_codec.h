// The loops that every encoding shares: from bytes to blocks, one block at a time.
//
// A format writes two functions about one block, and its row gets them over whole rows:
//
//   void decode_block(const BlockQ4_0& block, float* out);
//   void encode_block(const float* x, const float* weight, BlockQ4_0& block);
//
// Blocks are copied out of and into the bytes, which may lie at any address. `x` and `weight`
// of encode_block are always finite, `weight` is never negative, nor all 0.
#pragma once

#include <bit>
#include <cfloat>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "base/check.h"

namespace hearth {

static_assert(std::endian::native == std::endian::little, "blocks are little endian");

// NaN becomes 0, infinity the greatest float.
inline float finite(float value) {
  if (value != value) return 0.0f;
  return value > FLT_MAX ? FLT_MAX : value < -FLT_MAX ? -FLT_MAX : value;
}

template <class Block, void (*kDecodeBlock)(const Block&, float*)>
void decode_blocks(const std::byte* bytes, float* out, size_t elems) {
  static_assert(std::is_trivially_copyable_v<Block>);
  DCHECK(elems % Block::kElems == 0);
  for (size_t i = 0; i < elems; i += Block::kElems, bytes += sizeof(Block)) {
    Block block;
    std::memcpy(&block, bytes, sizeof(block));
    kDecodeBlock(block, out + i);
  }
}

// What an encode weighs errors with: `importance`, or 1 without it. None is quite 0, so that
// values that calibration never saw still get the level nearest to them.
inline void set_weights(const float* importance, float* weight, size_t count) {
  float top = 0;
  for (size_t j = 0; j < count; ++j) {
    weight[j] = importance == nullptr ? 1.0f : std::fmax(0.0f, finite(importance[j]));
    top = std::fmax(top, weight[j]);
  }
  for (size_t j = 0; j < count; ++j) {
    weight[j] = top == 0 ? 1.0f : std::fmax(weight[j], top * 1e-6f);
  }
}

template <class Block, void (*kEncodeBlock)(const float*, const float*, Block&)>
void encode_blocks(const float* in, std::byte* bytes, size_t elems, const float* importance) {
  static_assert(std::is_trivially_copyable_v<Block>);
  DCHECK(elems % Block::kElems == 0);
  float x[Block::kElems];
  float weight[Block::kElems];
  for (size_t i = 0; i < elems; i += Block::kElems, bytes += sizeof(Block)) {
    for (size_t j = 0; j < Block::kElems; ++j) x[j] = finite(in[i + j]);
    set_weights(importance == nullptr ? nullptr : importance + i, weight, Block::kElems);
    Block block{};
    kEncodeBlock(x, weight, block);
    std::memcpy(bytes, &block, sizeof(block));
  }
}

}  // namespace hearth
