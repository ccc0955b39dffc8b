#include "encoding/q4_1.h"

#include "encoding/block_codec.h"
#include "encoding/encoding.h"
#include "encoding/half.h"

namespace hearth {
namespace {

void decode_block(const BlockQ4_1& block, float* out) {
  const float d = f16_to_f32(block.d);
  const float m = f16_to_f32(block.m);
  for (int i = 0; i < 16; ++i) {
    out[i] = d * static_cast<float>(block.qs[i] & 15) + m;
    out[i + 16] = d * static_cast<float>(block.qs[i] >> 4) + m;
  }
}

}  // namespace

const Encoding k_q4_1{"Q4_1", 3, BlockQ4_1::kElems, sizeof(BlockQ4_1),
                         decode_blocks<BlockQ4_1, decode_block>, nullptr};

}  // namespace hearth
