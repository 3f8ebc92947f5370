/** Of a configuration: the packets of the simulator's inertial sensor, as its `stream --format imu` sends them. */
export const imuPacket = {
  framing: 'cobs',
  checksum: 'crc16-ccitt-false',
  time: 'time',
  fields: [
    { name: 'time', type: 'u32', unit: 'µs' },
    { name: 'count', type: 'u16' },
    ...['x', 'y', 'z'].map((axis) => ({
      name: `accel_${axis}`,
      type: 'i16',
      unit: 'm/s²',
      scale: 9.80665 / 2048,
    })),
    ...['x', 'y', 'z'].map((axis) => ({ name: `gyro_${axis}`, type: 'i16', unit: '°/s', scale: 1 / 16.4 })),
    ...Array.from({ length: 6 }, (_, i) => ({ name: `other_${i}`, type: 'i16' })),
  ],
};
