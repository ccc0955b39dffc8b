#include "encoding/iq3_s.h"

#include "encoding/block_codec.h"
#include "encoding/encoding.h"
#include "encoding/half.h"
#include "encoding/iq_grids.h"

namespace hearth {
namespace {

void unpack_block(const BlockIQ3_S& block, int8_t* codes, float* scales) {
  const float d = f16_to_f32(block.d);
  for (int g = 0; g < 64; ++g) {
    const int step = (block.scales[g / 16] >> (g / 8 % 2 * 4)) & 15;
    scales[g / 4] = d * static_cast<float>(1 + 2 * step);
    const int ninth = (block.qh[g / 8] >> (g % 8)) & 1;
    const uint16_t point = kIq3SGrid[block.qs[g] | ninth << 8];
    for (int i = 0; i < 4; ++i) {
      const int magnitude = 1 + 2 * ((point >> (3 * i)) & 7);
      codes[4 * g + i] = iq_signed(magnitude, block.signs[g / 2], g % 2 * 4 + i);
    }
  }
}

}  // namespace

const Encoding k_iq3_s{"IQ3_S", 21, BlockIQ3_S::kElems, sizeof(BlockIQ3_S),
                       decode_unpacked<BlockIQ3_S, unpack_block>, nullptr,
                       unpack_bytes<BlockIQ3_S, unpack_block>};

}  // namespace hearth
