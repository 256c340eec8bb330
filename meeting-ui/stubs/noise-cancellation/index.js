// In place of @100mslive/hms-noise-cancellation, whose models and licence belong to somebody else's cloud: says that it
// is not supported, so that the page offers no switch for it.
export class HMSKrispPlugin {
  getName() {
    return "HMSKrispPlugin";
  }
  isSupported() {
    return false;
  }
  checkSupport() {
    return { isSupported: false };
  }
  getNoiseSuppressionLevel() {
    return 0;
  }
  setNoiseSuppressionLevel() {}
}
