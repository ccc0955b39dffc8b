#include "encoding/iq1_m.h"

#include "encoding/block_codec.h"
#include "encoding/encoding.h"
#include "encoding/half.h"
#include "encoding/iq_grids.h"

namespace hearth {
namespace {

void decode_block(const BlockIQ1_M& block, float* out) {
  const float d = f16_to_f32(block.d());
  for (int g = 0; g < 32; ++g) {
    const int step = (block.scales[g / 8] >> (g % 8 / 2 * 3)) & 7;
    const float scale = d * static_cast<float>(2 * step + 1);
    const int nibble = (block.qh[g / 2] >> (g % 2 * 4)) & 15;
    const float offset = (nibble & 8) == 0 ? kIq1Offset : -kIq1Offset;
    const int point = block.qs[g] | (nibble & 7) << 8;
    decode_iq1_group(scale, offset, kIq1Grid[point], out + 8 * g);
  }
}

}  // namespace

const Encoding k_iq1_m{"IQ1_M", 29, BlockIQ1_M::kElems, sizeof(BlockIQ1_M),
                       decode_blocks<BlockIQ1_M, decode_block>, nullptr};

}  // namespace hearth
