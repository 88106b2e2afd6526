/** What people embed. */

export { App, type AppParts, createApp } from './app/app.js';
export type { EncryptionKey } from './app/encryption.js';
export type { Message } from './app/publishing.js';
export { loadConfig } from './config/file.js';
export type { Config, ConfigInput, StreamConfig, StreamInput } from './config/schema.js';
export { ERRORS, type ErrorCode, MqttStreamError } from './errors.js';
export type { TakeBatch } from './exchange/handover.js';
export type { Result } from './query/result.js';
export { TransferClient } from './transfer/client.js';
export { Receiver } from './transfer/receiver.js';
