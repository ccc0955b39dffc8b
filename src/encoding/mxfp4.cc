#include "encoding/mxfp4.h"

#include "encoding/block_codec.h"
#include "encoding/encoding.h"

namespace hearth {
namespace {

// 2^(e - 128), exact: 0 and 1 are subnormal. 255, NaN in the standard, is 2^127 here as in GGUF.
float half_scale(uint8_t e) {
  const uint32_t bits = e < 2 ? 0x00200000u << e : uint32_t{e - 1u} << 23;
  return std::bit_cast<float>(bits);
}

void decode_block(const BlockMXFP4& block, float* out) {
  const float d = half_scale(block.e);
  for (int i = 0; i < 16; ++i) {
    out[i] = d * static_cast<float>(kMxfp4Levels[block.qs[i] & 15]);
    out[i + 16] = d * static_cast<float>(kMxfp4Levels[block.qs[i] >> 4]);
  }
}

}  // namespace

const Encoding k_mxfp4{"MXFP4", 39, BlockMXFP4::kElems, sizeof(BlockMXFP4),
                         decode_blocks<BlockMXFP4, decode_block>, nullptr};

}  // namespace hearth
