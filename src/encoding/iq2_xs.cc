#include "encoding/iq2_xs.h"

#include "encoding/block_codec.h"
#include "encoding/encoding.h"
#include "encoding/half.h"
#include "encoding/iq_grids.h"

namespace hearth {
namespace {

void unpack_block(const BlockIQ2_XS& block, int8_t* codes, float* scales) {
  const float d = f16_to_f32(block.d);
  for (int g = 0; g < 32; ++g) {
    const int step = (block.scales[g / 4] >> (g % 4 / 2 * 4)) & 15;
    scales[g / 2] = d * (0.5f + static_cast<float>(step)) * 0.25f;
    const uint16_t q = block.qs[g];
    iq2_codes(kIq2XsGrid[q & 511], iq_signs(q >> 9), codes + 8 * g);
  }
}

}  // namespace

const Encoding k_iq2_xs{"IQ2_XS", 17, BlockIQ2_XS::kElems, sizeof(BlockIQ2_XS),
                        decode_unpacked<BlockIQ2_XS, unpack_block>, nullptr,
                        unpack_bytes<BlockIQ2_XS, unpack_block>};

}  // namespace hearth
