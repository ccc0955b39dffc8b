#include "encoding/iq2_s.h"

#include "encoding/block_codec.h"
#include "encoding/encoding.h"
#include "encoding/half.h"
#include "encoding/iq_grids.h"

namespace hearth {
namespace {

void unpack_block(const BlockIQ2_S& block, int8_t* codes, float* scales) {
  const float d = f16_to_f32(block.d);
  for (int g = 0; g < 32; ++g) {
    const int step = (block.scales[g / 4] >> (g % 4 / 2 * 4)) & 15;
    scales[g / 2] = d * (0.5f + static_cast<float>(step)) * 0.25f;
    const int high = (block.qh[g / 4] >> (g % 4 * 2)) & 3;
    iq2_codes(kIq2SGrid[block.qs[g] | high << 8], block.signs[g], codes + 8 * g);
  }
}

}  // namespace

const Encoding k_iq2_s{"IQ2_S", 22, BlockIQ2_S::kElems, sizeof(BlockIQ2_S),
                       decode_unpacked<BlockIQ2_S, unpack_block>, nullptr,
                       unpack_bytes<BlockIQ2_S, unpack_block>};

}  // namespace hearth
