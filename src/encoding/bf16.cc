#include "encoding/bf16.h"

#include <algorithm>

#include "encoding/block_codec.h"
#include "encoding/encoding.h"
#include "encoding/half.h"

namespace hearth {
namespace {

constexpr float kBF16Max = bf16_to_f32(0x7f7f);

void decode_block(const BlockBF16& block, float* out) { *out = bf16_to_f32(block.bits); }

// A weight beyond the range is better off at its end than at infinity.
void encode_block(const Values& v, BlockBF16& block) {
  block.bits = f32_to_bf16(std::clamp(*v.x, -kBF16Max, kBF16Max));
}

}  // namespace

const Encoding k_bf16{"BF16", 30, BlockBF16::kElems, sizeof(BlockBF16),
                      decode_blocks<BlockBF16, decode_block>,
                      encode_blocks<BlockBF16, encode_block>};

}  // namespace hearth
