#include "encoding/tq2_0.h"

#include "encoding/block_codec.h"
#include "encoding/encoding.h"
#include "encoding/half.h"

namespace hearth {
namespace {

void decode_block(const BlockTQ2_0& block, float* out) {
  const float d = f16_to_f32(block.d);
  for (int v = 0; v < 256; ++v) {
    const int q = (block.qs[v / 128 * 32 + v % 32] >> (v % 128 / 32 * 2)) & 3;
    out[v] = d * static_cast<float>(q - 1);
  }
}

}  // namespace

const Encoding k_tq2_0{"TQ2_0", 35, BlockTQ2_0::kElems, sizeof(BlockTQ2_0),
                         decode_blocks<BlockTQ2_0, decode_block>, nullptr};

}  // namespace hearth
