/** A verdict other than success. */
export class HotcellError extends Error {
  constructor({ code, message, phase = null, offset = null, line = null, rejections = [], report = null }) {
    super(message);
    this.name = "HotcellError";
    this.code = code;
    this.phase = phase;
    this.offset = offset;
    this.line = line;
    this.rejections = rejections;
    this.report = report && { ...report, fuelUsed: report.fuelUsed === null ? null : BigInt(report.fuelUsed) };
  }
}
