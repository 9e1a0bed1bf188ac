import { testContract } from './contract.ts';

testContract('microvm-ext4');
