#include "encoding/q4_0.h"

#include "encoding/block_codec.h"
#include "encoding/encoding.h"
#include "encoding/half.h"

namespace hearth {
namespace {

void decode_block(const BlockQ4_0& block, float* out) {
  const float d = f16_to_f32(block.d);
  for (int i = 0; i < 16; ++i) {
    out[i] = d * static_cast<float>((block.qs[i] & 15) - 8);
    out[i + 16] = d * static_cast<float>((block.qs[i] >> 4) - 8);
  }
}

}  // namespace

const Encoding k_q4_0{"Q4_0", 2, BlockQ4_0::kElems, sizeof(BlockQ4_0),
                         decode_blocks<BlockQ4_0, decode_block>, nullptr};

}  // namespace hearth
