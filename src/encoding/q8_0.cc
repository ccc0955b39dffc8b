#include "encoding/q8_0.h"

#include "encoding/block_codec.h"
#include "encoding/encoding.h"
#include "encoding/half.h"

namespace hearth {
namespace {

void decode_block(const BlockQ8_0& block, float* out) {
  const float d = f16_to_f32(block.d);
  for (int i = 0; i < 32; ++i) out[i] = static_cast<float>(block.qs[i]) * d;
}

}  // namespace

const Encoding k_q8_0{"Q8_0", 8, BlockQ8_0::kElems, sizeof(BlockQ8_0),
                         decode_blocks<BlockQ8_0, decode_block>, nullptr};

}  // namespace hearth
