#include "encoding/q5_0.h"

#include "encoding/block_codec.h"
#include "encoding/encoding.h"
#include "encoding/half.h"

namespace hearth {
namespace {

void decode_block(const BlockQ5_0& block, float* out) {
  const float d = f16_to_f32(block.d);
  for (int i = 0; i < 32; ++i) {
    const int low = i < 16 ? block.qs[i] & 15 : block.qs[i - 16] >> 4;
    const int high = (block.qh[i / 8] >> (i % 8)) & 1;
    out[i] = d * static_cast<float>((low | high << 4) - 16);
  }
}

}  // namespace

const Encoding k_q5_0{"Q5_0", 6, BlockQ5_0::kElems, sizeof(BlockQ5_0),
                         decode_blocks<BlockQ5_0, decode_block>, nullptr};

}  // namespace hearth
