#include "encoding/iq1_s.h"

#include "encoding/block_codec.h"
#include "encoding/encoding.h"
#include "encoding/half.h"
#include "encoding/iq_grids.h"

namespace hearth {
namespace {

void decode_block(const BlockIQ1_S& block, float* out) {
  const float d = f16_to_f32(block.d);
  for (int g = 0; g < 32; ++g) {
    const uint16_t qh = block.qh[g / 4];
    const float scale = d * static_cast<float>(2 * ((qh >> 12) & 7) + 1);
    const float offset = (qh & 0x8000) == 0 ? kIq1Offset : -kIq1Offset;
    const int high = (qh >> (g % 4 * 3)) & 7;
    decode_iq1_group(scale, offset, kIq1Grid[block.qs[g] | high << 8], out + 8 * g);
  }
}

}  // namespace

const Encoding k_iq1_s{"IQ1_S", 19, BlockIQ1_S::kElems, sizeof(BlockIQ1_S),
                       decode_blocks<BlockIQ1_S, decode_block>, nullptr};

}  // namespace hearth
