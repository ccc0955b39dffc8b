#include "encoding/f16.h"

#include <algorithm>

#include "encoding/block_codec.h"
#include "encoding/encoding.h"
#include "encoding/half.h"

namespace hearth {
namespace {

void decode_block(const BlockF16& block, float* out) { *out = f16_to_f32(block.bits); }

// A weight beyond the range is better off at its end than at infinity.
void encode_block(const Values& v, BlockF16& block) {
  block.bits = f32_to_f16(std::clamp(*v.x, -kF16Max, kF16Max));
}

}  // namespace

const Encoding k_f16{"F16", 1, BlockF16::kElems, sizeof(BlockF16),
                     decode_blocks<BlockF16, decode_block>,
                     encode_blocks<BlockF16, encode_block>};

}  // namespace hearth
