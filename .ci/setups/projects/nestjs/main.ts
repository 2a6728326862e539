import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import { IAsyncService } from 'millrace';
import { documents } from './documents.js';
import { JobsModule } from './jobs-module.js';

const app = await NestFactory.createApplicationContext(JobsModule, { logger: false });
const async = app.get<IAsyncService>(IAsyncService);
const job = await async.queueJob(documents.create, 'inbox', 'foo');
console.log(await job.waitForResult());
await app.close();
await async.queueJob(documents.create, 'inbox', 'bar').catch(() => console.log('stopped'));
