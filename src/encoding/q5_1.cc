#include "encoding/q5_1.h"

#include "encoding/block_codec.h"
#include "encoding/encoding.h"
#include "encoding/half.h"

namespace hearth {
namespace {

void decode_block(const BlockQ5_1& block, float* out) {
  const float d = f16_to_f32(block.d);
  const float m = f16_to_f32(block.m);
  for (int i = 0; i < 32; ++i) {
    const int low = i < 16 ? block.qs[i] & 15 : block.qs[i - 16] >> 4;
    const int high = (block.qh[i / 8] >> (i % 8)) & 1;
    out[i] = d * static_cast<float>(low | high << 4) + m;
  }
}

}  // namespace

const Encoding k_q5_1{"Q5_1", 7, BlockQ5_1::kElems, sizeof(BlockQ5_1),
                         decode_blocks<BlockQ5_1, decode_block>, nullptr};

}  // namespace hearth
