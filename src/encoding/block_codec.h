// The loops that every encoding shares: from bytes to blocks, one block at a time.
//
// A format writes two functions about one block, and its row gets them over whole rows:
//
//   void decode_block(const BlockQ4_0& block, float* out);
//   void encode_block(const Values& v, BlockQ4_0& block);
//
// Blocks are copied out of and into the bytes, which may lie at any address; a block to be
// encoded comes zeroed.
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

// For formats that write, in place of decode_block, codes and a scale for each 16 of them:
//
//   void unpack_block(const BlockIQ2_S& block, int8_t* codes, float* scales);
template <class Block, void (*kUnpackBlock)(const Block&, int8_t*, float*)>
void unpack_bytes(const std::byte* bytes, int8_t* codes, float* scales) {
  static_assert(std::is_trivially_copyable_v<Block>);
  Block block;
  std::memcpy(&block, bytes, sizeof(block));
  kUnpackBlock(block, codes, scales);
}

template <class Block, void (*kUnpackBlock)(const Block&, int8_t*, float*)>
void decode_unpacked(const std::byte* bytes, float* out, size_t elems) {
  DCHECK(elems % Block::kElems == 0);
  int8_t codes[Block::kElems];
  float scales[Block::kElems / 16];
  for (size_t i = 0; i < elems; i += Block::kElems, bytes += sizeof(Block)) {
    unpack_bytes<Block, kUnpackBlock>(bytes, codes, scales);
    for (size_t j = 0; j < Block::kElems; ++j)
      out[i + j] = scales[j / 16] * static_cast<float>(codes[j]);
  }
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

// The values of a block, or of a part of it, as an encode wants them: finite, each with the
// weight of its squared error, and with the product of both, in double, so that sums are fast.
struct Values {
  const float* x;
  const double* weight;
  const double* weighted;  // weight * x
  int count;

  Values part(int begin, int n) const {
    return {x + begin, weight + begin, weighted + begin, n};
  }
};

// The storage behind the Values of a block.
template <uint32_t kElems>
struct ValuesOfBlock {
  float x[kElems];
  double weight[kElems];
  double weighted[kElems];

  // Without importance every weight is 1. None is quite 0, so that values that calibration never
  // saw still get the level nearest to them.
  Values load(const float* in, const float* importance) {
    double top = 0;
    for (uint32_t j = 0; j < kElems; ++j) {
      x[j] = finite(in[j]);
      weight[j] = importance == nullptr ? 1.0 : std::fmax(0.0f, finite(importance[j]));
      top = std::fmax(top, weight[j]);
    }
    for (uint32_t j = 0; j < kElems; ++j) {
      weight[j] = top == 0 ? 1.0 : std::fmax(weight[j], top * 1e-6);
      weighted[j] = weight[j] * x[j];
    }
    return {x, weight, weighted, kElems};
  }
};

template <class Block, void (*kEncodeBlock)(const Values&, Block&)>
void encode_blocks(const float* in, std::byte* bytes, size_t elems, const float* importance) {
  static_assert(std::is_trivially_copyable_v<Block>);
  DCHECK(elems % Block::kElems == 0);
  ValuesOfBlock<Block::kElems> values;
  for (size_t i = 0; i < elems; i += Block::kElems, bytes += sizeof(Block)) {
    Block block{};
    kEncodeBlock(values.load(in + i, importance == nullptr ? nullptr : importance + i), block);
    std::memcpy(bytes, &block, sizeof(block));
  }
}

}  // namespace hearth
